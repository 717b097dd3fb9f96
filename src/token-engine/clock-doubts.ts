import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import type { Clock } from '../common/clock.js';
import { isRecent } from '../common/clock-trust.js';

/** Between two that are overruled in the same place. */
const INTERVAL_MS = 30 * 60_000;
/** Places of which it is remembered. */
const REMEMBERED = 10_000;

/**
 * What was written under a clock that is ahead of this host's is overruled, but only once in half
 * an hour for each row: the host that wrote it may still be at work, and takes what is written here
 * for long past. Without a brake the two would undo each other's work at every turn of their
 * timers, each time by a call of WeChat.
 */
export class ClockDoubts {
  private readonly logger = new Logger(ClockDoubts.name);
  private readonly overruled = new LRUCache<string, { value: number; at: number }>({
    ...atMost(REMEMBERED),
  });

  constructor(private readonly clock: Clock) {}

  /** Whether `value` at `place` may be overruled; one that was may be until it changes. */
  mayOverrule(place: string, value: number): boolean {
    if (this.overruled.get(place)?.value === value) return true;
    if (!this.isTurn(place, value)) return false;
    const message = 'A row was written under a clock that is ahead of this one; check their time';
    this.logger.warn(message, { place });
    return true;
  }

  /** Whether it is time to look for rows of `scope` that such a clock has put out of reach. */
  mayLookFor(scope: string): boolean {
    return this.isTurn(scope, this.clock.now());
  }

  private isTurn(place: string, value: number): boolean {
    const now = this.clock.now();
    const last = this.overruled.get(place);
    // By the clock: where this host's own is put right, what it wrote before is in doubt at once.
    if (last && isRecent(last.at, INTERVAL_MS, now)) return false;
    this.overruled.set(place, { value, at: now });
    return true;
  }
}
