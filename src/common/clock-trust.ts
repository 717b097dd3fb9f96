/** How far the clocks of hosts that share a database may be apart, in milliseconds. */
const SLACK_MS = 10_000;

/*
 * Times that stand in a row were written by some host's clock, which may have been hours ahead
 * and put right since. What would hold things up until such a time comes is not believed: a wait
 * ends no further ahead than it is long, and nothing happened in the future (ADR 9).
 */

/** Latest end, in Unix milliseconds, of a wait of at most `longestMs`: no right clock wrote a later one. */
export function latestEnd(longestMs: number, now: number): number {
  return Math.floor(now + longestMs + SLACK_MS);
}

/** Whether a wait of at most `longestMs` that ends at `end` is still on. */
export function isPending(end: number | null, longestMs: number, now: number): end is number {
  return end !== null && end > now && end <= latestEnd(longestMs, now);
}

/** The opposite of {@link isPending} in SQL. `end` is a column, or an expression of one. */
export function isOverSql(end: string, longestMs: number, now: number): string {
  const latest = latestEnd(longestMs, now);
  return `(${end} IS NULL OR ${end} <= ${Math.floor(now)} OR ${end} > ${latest})`;
}

/** Whether something happened at `at` and less than `ms` ago. */
export function isRecent(at: number | null, ms: number, now: number): at is number {
  return at !== null && isPending(at + ms, ms, now);
}

/** Whether a time was written by a clock that was ahead: what it says has not happened yet. */
export function isYetToCome(at: number | null, now: number): at is number {
  return at !== null && at > latestEnd(0, now);
}
