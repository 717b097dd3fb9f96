import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../common/clock.js';
import { senderOf } from '../common/source-address.js';
import { MINUTE_MS } from '../common/times.js';

/** Requests of one sender with a wrong bearer, or none, that are answered 401 within a minute. */
const PER_MINUTE = 20;
/** Senders that are remembered; beyond it the one that was silent the longest is forgotten. */
const SENDERS = 10_000;

interface Attempts {
  /** When the first of them came, by `Clock.elapsed()`. */
  since: number;
  count: number;
}

/**
 * Counts wrong bearers by sender. It saves work and noise: a token of 24 characters is not found
 * by trying, and a right one passes whatever else its sender has sent.
 */
@Injectable()
export class WrongBearers {
  private readonly attempts = new LRUCache<string, Attempts>({ max: SENDERS });

  constructor(private readonly clock: Clock) {}

  /** Counts one; the seconds that its sender has to wait where there were too many, else 0. */
  count(address: string): number {
    const sender = senderOf(address);
    const now = this.clock.elapsed();
    const before = this.attempts.get(sender);
    const age = before ? now - before.since : MINUTE_MS;
    if (!before || age >= MINUTE_MS) {
      this.attempts.set(sender, { since: now, count: 1 });
      return 0;
    }
    before.count += 1;
    return before.count > PER_MINUTE ? Math.ceil((MINUTE_MS - age) / 1000) : 0;
  }
}
