import { LRUCache } from 'lru-cache';
import { atMost } from './at-most.js';
import type { Clock } from './clock.js';
import { MINUTE_MS } from './times.js';

interface Minute {
  /** When the first was counted, by `Clock.elapsed()`. */
  since: number;
  count: number;
}

/** Counts by key, within a minute that begins with the first. */
export class MinuteCount {
  private readonly minutes: LRUCache<string, Minute>;

  /** @param keys that are remembered; beyond it the one that was silent the longest is forgotten. */
  constructor(
    private readonly clock: Clock,
    keys: number,
  ) {
    this.minutes = new LRUCache({ ...atMost(keys) });
  }

  /**
   * Counts one.
   * @returns the seconds until the minute ends where more than `limit` (1 or more) were counted in it, else 0.
   */
  count(key: string, limit: number): number {
    const now = this.clock.elapsed();
    const minute = this.minutes.get(key);
    const age = minute ? now - minute.since : MINUTE_MS;
    if (!minute || age >= MINUTE_MS) {
      this.minutes.set(key, { since: now, count: 1 });
      return 0;
    }
    minute.count += 1;
    return minute.count > limit ? Math.ceil((MINUTE_MS - age) / 1000) : 0;
  }
}
