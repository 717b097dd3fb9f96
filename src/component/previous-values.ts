/** A value that was the current one. Times are Unix milliseconds. */
export interface PreviousValue {
  value: string;
  replacedAt: number;
  /** When WeChat has last used it, before or after it was replaced; null where it never has. */
  lastUsedAt: number | null;
  /** For how long WeChat has used the current one only, in milliseconds. */
  unusedMs: number;
}

/**
 * The values before the current one, newest first. WeChat goes on with an old one until the
 * platform's changes are published (全网发布), for weeks perhaps: no clock ends one.
 */
export class PreviousValues {
  constructor(readonly list: PreviousValue[]) {}

  /**
   * Reads what a column holds.
   * @param changedAt for the one bare value that earlier versions kept.
   */
  static parse(stored: string, changedAt: number): PreviousValues {
    const unknown = { lastUsedAt: null, unusedMs: 0 };
    if (!stored.startsWith('[{"value":')) {
      return new PreviousValues([{ value: stored, replacedAt: changedAt, ...unknown }]);
    }
    const list = JSON.parse(stored) as Pick<PreviousValue, 'value' | 'replacedAt'>[];
    // Earlier versions kept no uses. `value` stays in front: it marks a list.
    return new PreviousValues(
      list.map(({ value, replacedAt, ...uses }) => ({ value, replacedAt, ...unknown, ...uses })),
    );
  }

  /**
   * With one more, or with one that is there already renewed. Beyond `max` those are left out that
   * WeChat has never used, then those that it has used longest ago: at any time it uses two at the
   * most, the published one and the one under test, so none of these is pushed out by changes.
   */
  with(value: string, replacedAt: number, lastUsedAt: number | null, max: number): PreviousValues {
    const { list } = this.without(value);
    const kept = list.toSorted(byUse).slice(0, max - 1);
    const newest = { value, replacedAt, lastUsedAt, unusedMs: 0 };
    return new PreviousValues([newest, ...list.filter((entry) => kept.includes(entry))]);
  }

  without(value: string): PreviousValues {
    return new PreviousValues(this.list.filter((entry) => entry.value !== value));
  }

  find(value: string): PreviousValue | undefined {
    return this.list.find((entry) => entry.value === value);
  }

  /** After WeChat has used one of them. */
  used(value: string, at: number): PreviousValues {
    return this.each((entry) =>
      entry.value === value ? { ...entry, lastUsedAt: at, unusedMs: 0 } : entry,
    );
  }

  /** After WeChat has used the current value for `ms` more milliseconds. */
  unused(ms: number): PreviousValues {
    return this.each((entry) => ({ ...entry, unusedMs: entry.unusedMs + ms }));
  }

  /** Those that WeChat has not used for less than `ms` milliseconds. */
  unusedForLess(ms: number): PreviousValues {
    return new PreviousValues(this.list.filter(({ unusedMs }) => unusedMs < ms));
  }

  /** What the column keeps; nothing where there is none. */
  toStored(): string | null {
    return this.list.length > 0 ? JSON.stringify(this.list) : null;
  }

  private each(change: (entry: PreviousValue) => PreviousValue): PreviousValues {
    return new PreviousValues(this.list.map(change));
  }
}

function byUse(a: PreviousValue, b: PreviousValue): number {
  return (b.lastUsedAt ?? 0) - (a.lastUsedAt ?? 0) || b.replacedAt - a.replacedAt;
}
