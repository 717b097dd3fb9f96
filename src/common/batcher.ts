/** When a batch is begun. */
export interface BatchTimes {
  /**
   * Least time between the beginnings of two batches, in milliseconds: what comes steadily shares
   * transactions, and what comes now and then still waits for nothing.
   */
  periodMs: number;
  /** Items that wait for no period: so many share what a transaction costs. */
  enough?: number;
  /** The same where nothing more is coming: {@link QUIET_TURNS} turns have brought no other. */
  enoughInQuiet?: number;
}

/**
 * Turns of the event loop that make quiet. A turn is counted before the items of what it has read
 * are added (`endOfTurn`), so the last of three shows only that the second has brought none.
 */
const QUIET_TURNS = 3;

/**
 * Group commit: items that come while one batch is being written are written together in the
 * next, so that a burst costs few transactions and one that comes alone waits for nobody.
 */
export class Batcher<T, R> {
  private waiting: Entry<T, R>[] = [];
  private writing = false;
  /** When the last batch was begun, by `performance.now()`. */
  private begun = -Infinity;
  /** The wait for the next batch, while there is one. */
  private period: Period | undefined;

  /**
   * @param write gives one result per item, in order.
   * @param concernsAll whether a failure is the whole batch's; after any other, each item is
   * written alone, so that one bad item fails alone.
   */
  constructor(
    private readonly write: (items: T[]) => Promise<R[]>,
    private readonly maxItems: number,
    private readonly concernsAll: (error: unknown) => boolean,
    private readonly times: BatchTimes = { periodMs: 0 },
  ) {}

  /** Resolves when the item's batch is written. */
  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.writing) void this.drain();
      else this.endPeriodSoon();
    });
  }

  /** Ends the wait for the next batch where enough items wait, or some and nothing more is coming. */
  private endPeriodSoon(): void {
    const { period, waiting, times } = this;
    if (!period) return;
    if (this.isEnough()) period.end();
    else if (waiting.length >= (times.enoughInQuiet ?? Infinity)) {
      if (period.quietTurns === undefined) void this.endInQuiet(period);
      else period.quietTurns = 0;
    }
  }

  private async endInQuiet(period: Period): Promise<void> {
    for (period.quietTurns = 0; period.quietTurns < QUIET_TURNS; period.quietTurns += 1) {
      await new Promise(setImmediate);
      if (this.period !== period) return;
    }
    period.end();
  }

  private async drain(): Promise<void> {
    this.writing = true;
    // Items of the same turn of the event loop belong together.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      if (!this.isEnough()) await this.waitForPeriod();
      this.begun = performance.now();
      const batch = this.waiting.splice(0, this.maxItems);
      if (!(await this.tryTogether(batch))) {
        await this.oneByOne(batch);
      }
    }
    this.writing = false;
  }

  private isEnough(): boolean {
    return this.waiting.length >= (this.times.enough ?? Infinity);
  }

  /** Resolves at the end of the period, or as soon as enough items wait, in quiet or not. */
  private async waitForPeriod(): Promise<void> {
    const left = this.begun + this.times.periodMs - performance.now();
    if (left <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((end) => {
      this.period = { end };
      timer = setTimeout(end, left);
      this.endPeriodSoon();
    });
    clearTimeout(timer);
    this.period = undefined;
  }

  private async tryTogether(batch: Entry<T, R>[]): Promise<boolean> {
    if (batch.length === 1) return false;
    try {
      const results = await this.write(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => resolve(results[index] as R));
      return true;
    } catch (error) {
      if (!this.concernsAll(error)) return false;
      for (const { reject } of batch) reject(error as Error);
      return true;
    }
  }

  /** What ends one for a reason of all ends those behind it: each would wait as long in vain. */
  private async oneByOne(batch: Entry<T, R>[]): Promise<void> {
    let ended: { error: unknown } | undefined;
    for (const { item, resolve, reject } of batch) {
      if (ended) {
        reject(ended.error as Error);
        continue;
      }
      try {
        resolve((await this.write([item]))[0] as R);
      } catch (error) {
        if (this.concernsAll(error)) ended = { error };
        reject(error as Error);
      }
    }
  }
}

interface Entry<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (error: Error) => void;
}

interface Period {
  end: () => void;
  /** Turns of the event loop since an item came; undefined while nobody counts them. */
  quietTurns?: number;
}
