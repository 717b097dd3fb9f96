import type { Clock } from './clock.js';
import { within } from './time-limit.js';

/** How old a copy may get, in milliseconds. */
export interface HeldCopyLimits {
  /** From this age on a read starts a reload and is answered with the copy. */
  refreshAfterMs: number;
  /** From this age on a read waits for the reload. */
  maxAgeMs: number;
  /** Longest that a reload holds up a read, in milliseconds; half a second where it is absent. */
  patienceMs?: number;
}

/** What another host has changed is seen within 5 s: 4 s and, while the database is slow, half a second. */
export const SEEN_WITHIN_5_S: HeldCopyLimits = { refreshAfterMs: 3000, maxAgeMs: 4000 };

/** Longest that a reload holds up reads that have an old copy to fall back on, in milliseconds. */
const PATIENCE_MS = 500;
/** Wait between reloads after one failed, in milliseconds. */
const RETRY_MS = 1000;
/** A reload that takes longer hangs on a dead connection; another one may get through. */
const HUNG_MS = 5000;

/**
 * A copy of a database value, kept in memory for a short, bounded time so that reads cost no
 * query. When the database fails or is slow the old copy is given: what it may still be used for
 * is the caller's decision, by the times that stand in it.
 */
export class HeldCopy<T> {
  private copy?: { value: T; loadedAt: number; load: number };
  private loading?: { result: Promise<T>; since: number };
  private loads = 0;
  private failedAt = -Infinity;

  constructor(
    private readonly load: () => Promise<T>,
    private readonly clock: Clock,
    private readonly limits: HeldCopyLimits,
  ) {}

  /** The copy, however old, without waiting; undefined before the first load. */
  get last(): T | undefined {
    return this.copy?.value;
  }

  /** The copy while it may be used without a reload, so that most reads cost no promise. */
  get fresh(): T | undefined {
    const { copy } = this;
    const age = copy ? this.clock.elapsed() - copy.loadedAt : Infinity;
    return age < this.limits.refreshAfterMs ? copy?.value : undefined;
  }

  /** @throws what `load` throws, when there is no copy yet. */
  async get(): Promise<T> {
    const { copy } = this;
    if (!copy) return this.joinReload().result;
    const now = this.clock.elapsed();
    const age = now - copy.loadedAt;
    if (age < this.limits.refreshAfterMs || now - this.failedAt < RETRY_MS) return copy.value;
    const { result, since } = this.joinReload();
    const reloaded = result.catch(() => copy.value);
    const { patienceMs = PATIENCE_MS } = this.limits;
    const patience = patienceMs - (performance.now() - since);
    const mustWait = age >= this.limits.maxAgeMs;
    return mustWait && patience > 0 ? within(patience, reloaded, () => copy.value) : copy.value;
  }

  /** Loads what is there now: no load is joined that may have read before this call. */
  reload(): Promise<T> {
    return this.startReload().result;
  }

  private joinReload(): { result: Promise<T>; since: number } {
    const { loading } = this;
    if (loading && performance.now() - loading.since < HUNG_MS) return loading;
    return this.startReload();
  }

  private startReload(): { result: Promise<T>; since: number } {
    const loading = { result: this.loadOnce(), since: performance.now() };
    this.loading = loading;
    const forget = (): void => {
      if (this.loading === loading) this.loading = undefined;
    };
    loading.result.then(forget, forget);
    return loading;
  }

  private async loadOnce(): Promise<T> {
    this.loads += 1;
    const load = this.loads;
    const loadedAt = this.clock.elapsed();
    try {
      const value = await this.load();
      this.failedAt = -Infinity;
      // Loads overtake each other: the copy is the one that was begun last.
      if (load > (this.copy?.load ?? 0)) this.copy = { value, loadedAt, load };
      return value;
    } catch (error) {
      this.failedAt = this.clock.elapsed();
      throw error;
    }
  }
}
