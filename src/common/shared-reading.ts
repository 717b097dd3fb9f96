/** Readings that may follow each other at once, after a time without any. */
const RESERVE = 20;
/** Milliseconds after which one more may be made. */
const PERIOD_MS = 1000;

/**
 * A dear reading that anybody may ask for: callers who come together share one, and beyond a few in
 * reserve one a second is made; in between the last one is given. However often it is asked for,
 * what it costs is bounded.
 */
export class SharedReading<T> {
  private last?: Promise<T>;
  private underWay = false;
  private left = RESERVE;
  private filledAt = performance.now();

  constructor(private readonly read: () => Promise<T>) {}

  /** @throws what the reading throws; a failed one is not kept. */
  get(): Promise<T> {
    if (this.last && (this.underWay || !this.mayRead())) return this.last;
    this.underWay = true;
    const reading = this.read().finally(() => (this.underWay = false));
    this.last = reading;
    reading.catch(() => {
      if (this.last === reading) this.last = undefined;
    });
    return reading;
  }

  private mayRead(): boolean {
    const now = performance.now();
    const more = Math.floor((now - this.filledAt) / PERIOD_MS);
    if (more > 0) {
      this.left = Math.min(RESERVE, this.left + more);
      this.filledAt = now;
    }
    if (this.left === 0) return false;
    this.left -= 1;
    return true;
  }
}
