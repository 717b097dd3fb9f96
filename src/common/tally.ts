/** A sum for each key and of all; forgets keys that are back at nothing. */
export class Tally {
  total = 0;
  private readonly counts = new Map<string, number>();

  /** @returns the key's sum with it. */
  add(key: string, amount: number): number {
    this.total += amount;
    const sum = this.of(key) + amount;
    if (sum === 0) this.counts.delete(key);
    else this.counts.set(key, sum);
    return sum;
  }

  of(key: string): number {
    return this.counts.get(key) ?? 0;
  }
}
