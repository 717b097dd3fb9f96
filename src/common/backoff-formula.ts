/** An exponential schedule, as data. */
export interface Backoff {
  /** Seconds before the second try. */
  baseSeconds: number;
  /** No wait is longer than this, jitter aside, in seconds. */
  maxSeconds: number;
}

/** Share by which a wait is moved at random, so that hosts do not come back together. */
const JITTER = 0.2;

/**
 * Milliseconds to wait after the `attempts`-th failure in a row (1 = first).
 * `random` is a number in [0, 1).
 */
export function backoffMs(policy: Backoff, attempts: number, random: number): number {
  const exponent = Math.min(Math.max(attempts, 1) - 1, 30);
  const seconds = Math.min(policy.baseSeconds * 2 ** exponent, policy.maxSeconds);
  return Math.round(seconds * 1000 * (1 - JITTER + 2 * JITTER * random));
}
