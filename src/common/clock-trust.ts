/** How far the clocks of hosts that share a database may be apart, in milliseconds. */
export const CLOCK_SLACK_MS = 10_000;

/*
 * Times that stand in a row were written by some host's clock, which may have been hours ahead
 * and put right since. What would hold things up until such a time comes is not believed: a wait
 * ends no further ahead than it is long, and nothing happened in the future.
 */

/** Whether a wait of at most `longestMs` that ends at `end` is still on. */
export function isPending(end: number | null, longestMs: number, now: number): end is number {
  return end !== null && end > now && end <= now + longestMs + CLOCK_SLACK_MS;
}

/** Whether a time was written by a clock that was ahead: what it tells of has not happened yet. */
export function isYetToCome(at: number | null, now: number): at is number {
  return at !== null && at > now + CLOCK_SLACK_MS;
}

/** The opposite of {@link isPending} in SQL. `end` is a column, or an expression of one. */
export function isOverSql(end: string, longestMs: number, now: number): string {
  const [from, to] = [Math.floor(now), Math.floor(now + longestMs + CLOCK_SLACK_MS)];
  return `(${end} IS NULL OR ${end} <= ${from} OR ${end} > ${to})`;
}
