import type { Clock } from './clock.js';
import { within } from './time-limit.js';

/** How old a copy may get, in milliseconds. */
export interface HeldCopyLimits {
  /** From this age on a read starts a reload and is answered with the copy. */
  refreshAfterMs: number;
  /** From this age on a read waits for the reload. */
  maxAgeMs: number;
}

/** Longest that a read waits for a reload while it has an old copy to fall back on, in milliseconds. */
const PATIENCE_MS = 1000;
/** Wait between reloads after one failed, in milliseconds. */
const RETRY_MS = 1000;

/**
 * A copy of a database value, kept in memory for a short, bounded time so that reads cost no
 * query. When the database fails or is slow the old copy is given: what it may still be used for
 * is the caller's decision, by the times that stand in it.
 */
export class HeldCopy<T> {
  private copy?: { value: T; loadedAt: number };
  private loading?: Promise<T>;
  private version = 0;
  private failedAt = -Infinity;

  constructor(
    private readonly load: () => Promise<T>,
    private readonly clock: Clock,
    private readonly limits: HeldCopyLimits,
  ) {}

  /** @throws what `load` throws, when there is no copy yet. */
  async get(): Promise<T> {
    const { copy } = this;
    if (!copy) return this.reload();
    const now = this.clock.now();
    const age = now - copy.loadedAt;
    if (age < this.limits.refreshAfterMs && age >= 0) return copy.value;
    if (now - this.failedAt < RETRY_MS) return copy.value;
    const reloading = this.reload().catch(() => copy.value);
    return age < this.limits.maxAgeMs && age >= 0
      ? copy.value
      : within(PATIENCE_MS, reloading, () => copy.value);
  }

  /** The copy as it is, however old; undefined before the first load. */
  peek(): T | undefined {
    return this.copy?.value;
  }

  /** Puts in a value that the caller has just read or written. */
  set(value: T): void {
    this.version += 1;
    this.copy = { value, loadedAt: this.clock.now() };
  }

  /** Loads now; a load that is under way is joined. */
  reload(): Promise<T> {
    this.loading ??= this.loadOnce().finally(() => (this.loading = undefined));
    return this.loading;
  }

  private async loadOnce(): Promise<T> {
    const { version } = this;
    try {
      const value = await this.load();
      // A value put in meanwhile is newer than the one that was read before it.
      if (version === this.version) this.set(value);
      this.failedAt = -Infinity;
      return this.copy?.value ?? value;
    } catch (error) {
      this.failedAt = this.clock.now();
      throw error;
    }
  }
}
