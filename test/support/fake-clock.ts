import { Clock } from '../../src/common/clock.js';

/** Time that stands still until it is moved. */
export class FakeClock extends Clock {
  constructor(private ms: number = Date.now()) {
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
