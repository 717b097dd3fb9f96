/** The only source of "now" in services, so that tests can move time. */
export abstract class Clock {
  /** Unix time in milliseconds. */
  abstract now(): number;
}

/** The machine's clock. Hosts that share a database must be kept in step by NTP (leases compare it). */
export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }
}
