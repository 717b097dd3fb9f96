import { Injectable, Logger } from '@nestjs/common';
import { Clock } from './clock.js';
import { isoTime } from './times.js';

/** How far the clock may be from what a witness has shown before it is logged. */
const CONFIRMED_WITHIN_MS = 60 * 60_000;

/**
 * The time for what cannot be undone: removing, giving up, disabling. It never runs ahead of what
 * WeChat itself has shown, by the signed timestamp of a push that was accepted or by the `Date` of an
 * answer: a machine that boots 40 days ahead, or whose clock jumps, removes nothing. It is late by
 * the time since the last sign of WeChat's, minutes as a rule; where WeChat is silent it stands
 * still, and so does what is to be removed.
 */
@Injectable()
export class TrustedTime {
  private readonly logger = new Logger(TrustedTime.name);
  /** Latest time that WeChat has shown to this process; 0 before the first. */
  private shownAt = 0;
  private doubted = false;

  constructor(private readonly clock: Clock) {}

  /**
   * Something outside this machine, which no visitor can make up, has shown the time.
   * @param at Unix milliseconds; what is no time counts for nothing.
   */
  witness(at: number): void {
    if (at > this.shownAt) this.shownAt = at;
  }

  /** Unix milliseconds that have passed for certain; 0 before the first sign of WeChat's. */
  now(): number {
    return Math.min(this.clock.now(), this.shownAt);
  }

  /** Whether the clock of this machine agrees with what was shown last. */
  isConfirmed(): boolean {
    return Math.abs(this.clock.now() - this.shownAt) <= CONFIRMED_WITHIN_MS;
  }

  /** The same as {@link now}, for a regular task: a clock that is not confirmed is logged once. */
  nowForTask(): number {
    const confirmed = this.isConfirmed();
    if (!confirmed && !this.doubted) {
      this.logger.warn(
        "This machine's clock is not confirmed by any push or answer of WeChat's; nothing is " +
          'removed or given up beyond the time that they have shown',
        {
          clock: isoTime(this.clock.now()),
          shown: this.shownAt > 0 ? isoTime(this.shownAt) : null,
        },
      );
    } else if (confirmed && this.doubted) {
      this.logger.log("This machine's clock is confirmed again");
    }
    this.doubted = !confirmed;
    return this.now();
  }
}
