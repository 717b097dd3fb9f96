/** The value below which `percent` of the sorted values are. */
export function percentile(sorted, percent) {
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? NaN;
}

/** The middle value, of an even number the mean of the middle two. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/**
 * Median of the rounds' ratios. The two sides of each ratio were measured within seconds, so
 * that a slow spell of the machine does less to it than to the ratio of two medians.
 */
export function pairedRatio(rounds, others) {
  return median(rounds.map(({ perSecond }, round) => perSecond / others[round].perSecond));
}
