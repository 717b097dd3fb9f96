/** Upper bounds of the buckets that times are counted in, in milliseconds; above them is one more. */
const BOUNDS_MS = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 15_000];
const ABOVE = 'above';

/** How many times lie in each bucket. */
export type TimeCounts = Map<string, number>;

/** In whole milliseconds; null where nothing was counted. */
export interface Latency {
  count: number;
  p50Ms: number | null;
  p99Ms: number | null;
}

/** The bucket of a time: its upper bound. */
export function bucketOf(seconds: number): string {
  return String(BOUNDS_MS.find((bound) => seconds * 1000 <= bound) ?? ABOVE);
}

/**
 * Percentiles of times that were counted in buckets: within one they are taken to lie evenly, and
 * what is above the last one counts as its bound.
 */
export function latencyOf(counts: TimeCounts): Latency {
  const count = [...counts.values()].reduce((sum, one) => sum + one, 0);
  return { count, p50Ms: percentile(counts, count / 2), p99Ms: percentile(counts, count * 0.99) };
}

function percentile(counts: TimeCounts, rank: number): number | null {
  let [below, lower] = [0, 0];
  if (rank === 0) return null;
  for (const bound of BOUNDS_MS) {
    const here = counts.get(String(bound)) ?? 0;
    if (below + here >= rank) return Math.round(lower + ((bound - lower) * (rank - below)) / here);
    [below, lower] = [below + here, bound];
  }
  return lower;
}
