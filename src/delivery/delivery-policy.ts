import { HOUR_MS as HOUR, MINUTE_MS as MINUTE } from '../common/times.js';

const SECOND = 1000;

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
  /** No delivery is given up sooner after it has begun, however the clock jumps: the waits at their shortest. */
  giveUpAfter: 60 * HOUR,
  /** By how much a lease outlasts the longest attempt. */
  leaseMargin: 15 * SECOND,
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

/** The wait of a delivery that has had all its attempts, but not yet the time that they are spread over. */
export function extraDelayMs(random: number): number {
  const { retryDelays, jitter } = DELIVERY_POLICY;
  const delay = retryDelays[retryDelays.length - 1] ?? 0;
  return Math.round(delay * (1 - jitter + 2 * jitter * random));
}
