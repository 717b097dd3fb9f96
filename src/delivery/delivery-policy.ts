const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How deliveries are tried, as data. Durations are milliseconds. */
export const DELIVERY_POLICY = {
  /** Waits after each failed attempt; after the last of them a delivery is dead. */
  retryDelays: [
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
  ],
  /** Share by which a wait is moved at random, so that retries do not come all at once. */
  jitter: 0.2,
  /** A target may ask for a longer wait, up to so many times the scheduled one. */
  retryAfterFactor: 2,
  /** Answers whose Retry-After is heeded. */
  retryAfterStatuses: [429, 503],
  /** A target that has failed for so long is disabled. */
  disableAfter: 5 * DAY,
  /** By how much a lease outlasts the longest attempt. */
  leaseMargin: 15 * SECOND,
  /** Longest that WeChat is kept waiting for a responder, from the message's arrival. */
  maxBudget: 4500,
} as const;

/**
 * Milliseconds until the next attempt; undefined when there is none.
 * @param attempts those that were made and failed, this one included.
 * @param random in [0, 1).
 * @param retryAfterMs what the target asked for.
 */
export function retryDelayMs(
  attempts: number,
  random: number,
  retryAfterMs?: number,
): number | undefined {
  const { retryDelays, jitter, retryAfterFactor } = DELIVERY_POLICY;
  const delay = retryDelays[attempts - 1];
  if (delay === undefined) return undefined;
  if (retryAfterMs !== undefined) {
    return Math.min(Math.max(retryAfterMs, delay), retryAfterFactor * delay);
  }
  return Math.round(delay * (1 - jitter + 2 * jitter * random));
}

/**
 * Milliseconds that a Retry-After asks for: seconds or a date; undefined where it is neither.
 * @param now Unix milliseconds.
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * SECOND;
  // Nothing but a date with its weekday: Date.parse takes all kinds of text.
  const at = /^[A-Z][a-z]{2,8}, /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(at - now, 0);
}

/** Whether a target has failed for so long that it is given up. */
export function isHopeless(failingSince: number | null, now: number): boolean {
  return failingSince !== null && now - failingSince >= DELIVERY_POLICY.disableAfter;
}
