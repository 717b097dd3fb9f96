/** Milliseconds between exchanges of one row, and how long a right to one lasts. */

/**
 * A lease outlives the slowest exchange (5 s, renewed before each further call). It is 10 s so that
 * after a crash the wait, one poll and one exchange stay well within the 15 s that are promised.
 */
export const LEASE_MS = 10_000;

/** A token reported as refused is replaced at most this often. */
export const REPORT_INTERVAL_MS = 30_000;

/**
 * An exchange comes before its time at most this often, over all hosts: by hand, or because what
 * the last failure was about has changed.
 */
export const FORCE_INTERVAL_MS = 10_000;

/** After a token of a tiny life the next exchange is not made before this, unless it is forced. */
export const EXCHANGE_INTERVAL_MS = 5000;
/** Longest that a caller waits for another process, in milliseconds; a lease ends before that. */
export const MAX_WAIT_MS = 15_000;
/**
 * Refreshes that are claimed together begin so many milliseconds apart: readers and pushes have
 * their turn in between.
 */
export const START_GAP_MS = 3;
