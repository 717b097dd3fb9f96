/** Values before the current one that are kept: each may cost an exchange one more call. */
const MAX_PREVIOUS = 3;

/** A value that was the current one. */
export interface PreviousValue {
  value: string;
  /** Unix milliseconds; it is accepted for a while from then on. */
  replacedAt: number;
}

/**
 * The values before the current one, newest first: two changes within a day, a mistake and its
 * correction say, must not drop the value that WeChat still uses.
 */
export class PreviousValues {
  constructor(readonly list: PreviousValue[]) {}

  /**
   * Reads what a column holds.
   * @param changedAt for the one bare value that earlier versions kept.
   */
  static parse(stored: string, changedAt: number): PreviousValues {
    if (!stored.startsWith('[{"value":')) {
      return new PreviousValues([{ value: stored, replacedAt: changedAt }]);
    }
    return new PreviousValues(JSON.parse(stored) as PreviousValue[]);
  }

  /** With one more, or with one that is there already renewed. */
  with(value: string, now: number): PreviousValues {
    const { list } = this.without(value);
    return new PreviousValues([{ value, replacedAt: now }, ...list].slice(0, MAX_PREVIOUS));
  }

  without(value: string): PreviousValues {
    return new PreviousValues(this.list.filter((entry) => entry.value !== value));
  }

  /** Those replaced after a time. */
  after(time: number): PreviousValues {
    return new PreviousValues(this.list.filter(({ replacedAt }) => replacedAt > time));
  }

  /** What the column keeps; nothing where there is none. */
  toStored(): string | null {
    return this.list.length > 0 ? JSON.stringify(this.list) : null;
  }
}
