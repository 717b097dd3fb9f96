import { SimulatorError } from './wechat-error.js';

interface Waiter {
  key: string;
  count: number;
  resolve(count: number): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** The key that counts everything. */
export const ANY = '*';

/** How long a wait lasts if nothing else is said. Milliseconds. */
export const DEFAULT_WAIT_MS = 10_000;

/** Beyond this many distinct keys (a scan of random paths) new ones count only under `*`. */
const MAX_KEYS = 500;

/**
 * Counts by key and promises for "this key has been counted n times". Since the counts are totals,
 * a wait begun after the event still resolves: no race between acting and waiting.
 */
export class CountWaiters {
  private readonly counts = new Map<string, number>();
  private readonly waiters = new Set<Waiter>();

  /** Counts one event and wakes who waited for it, after the present synchronous work is done. */
  increment(key: string): void {
    this.bump(ANY);
    if (this.counts.has(key) || this.counts.size < MAX_KEYS) this.bump(key);
    if (this.waiters.size === 0) return;
    for (const waiter of this.waiters) {
      const count = this.count(waiter.key);
      if (count >= waiter.count) this.finish(waiter, () => waiter.resolve(count));
    }
  }

  /** Events counted for the key since the start or the last `clear`. */
  count(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  /** Resolves with the total when it has reached `count`; rejects after `timeoutMs`. */
  wait(key: string, count = 1, timeoutMs = DEFAULT_WAIT_MS): Promise<number> {
    const present = this.count(key);
    if (present >= count) return Promise.resolve(present);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const text = `waited ${timeoutMs} ms for ${key}: ${this.count(key)} of ${count}`;
        this.finish(waiter, () => reject(new SimulatorError(text, 408)));
      }, timeoutMs);
      const waiter: Waiter = { key, count, resolve, reject, timer };
      this.waiters.add(waiter);
    });
  }

  /** Counts start at zero again; a wait goes on with the new counts. */
  clear(): void {
    this.counts.clear();
  }

  /** Rejects every wait. */
  rejectAll(reason: string): void {
    for (const waiter of this.waiters) {
      this.finish(waiter, () => waiter.reject(new SimulatorError(reason, 503)));
    }
  }

  private bump(key: string): void {
    this.counts.set(key, this.count(key) + 1);
  }

  private finish(waiter: Waiter, settle: () => void): void {
    clearTimeout(waiter.timer);
    this.waiters.delete(waiter);
    settle();
  }
}
