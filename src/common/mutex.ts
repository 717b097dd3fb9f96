/** First come, first served: one run at a time. */
export class Mutex {
  private tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all earlier runs have settled. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}
