/** Callers of the same key share one run of the work; the entry is gone when the run settles. */
export class SingleFlight<T> {
  private readonly pending = new Map<string, Promise<T>>();

  /** Starts `work`, or joins the run of `key` that is under way. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.pending.get(key);
    if (running) return running;
    const started = work().finally(() => this.pending.delete(key));
    this.pending.set(key, started);
    return started;
  }

  /** Resolves when every run now under way has settled. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.pending.values());
  }
}
