import { Clock } from '../../src/common/clock.js';

/** Time that stands still until it is moved; it begins with a second, as HTTP shows it. */
export class FakeClock extends Clock {
  private run = 1;

  constructor(private ms: number = Math.floor(Date.now() / 1000) * 1000) {
    super();
  }

  now(): number {
    return this.ms;
  }

  elapsed(): number {
    return this.run;
  }

  /** Lets so many milliseconds pass; where they are negative, the clock is put back and none pass. */
  advance(ms: number): void {
    this.ms += ms;
    this.run += Math.max(ms, 0);
  }
}
