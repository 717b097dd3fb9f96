import { Clock } from '../../src/common/clock.js';

/** Time that stands still until it is moved; it begins with a second, as HTTP shows it. */
export class FakeClock extends Clock {
  constructor(private ms: number = Math.floor(Date.now() / 1000) * 1000) {
    super();
  }

  now(): number {
    return this.ms;
  }

  /** Moves time forward, in milliseconds. */
  advance(ms: number): void {
    this.ms += ms;
  }
}
