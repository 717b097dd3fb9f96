/** The only source of "now" in services, so that tests can move time. */
export abstract class Clock {
  /** Unix time in milliseconds. */
  abstract now(): number;

  /**
   * Milliseconds since a moment that is this process's own: for ages and waits in memory. It never
   * goes back and never jumps, whatever is done to the clock.
   */
  abstract elapsed(): number;
}

/** The machine's clock. Hosts that share a database must be kept in step by NTP (ADR 4, 9). */
export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  elapsed(): number {
    return performance.now();
  }
}
