import { isRecent } from '../common/clock-trust.js';
import { DAY_MS as DAY, HOUR_MS as HOUR } from '../common/times.js';

/** When a target is given up, as data. Durations are milliseconds. */
export const FAILING_POLICY = {
  /** A target that has failed for so long is disabled. */
  disableAfter: 5 * DAY,
  /** Failures of a target count once in so long. */
  failureInterval: HOUR,
  /** Longest time between two failures of a target that counts as time of failing. */
  failureGap: 12 * HOUR,
} as const;

/** How a target has been failing. Times are Unix milliseconds. */
export interface Failing {
  /** First failure since the last success; null while deliveries succeed. */
  failingSince: number | null;
  /** The last failure that was counted. */
  failedAt: number | null;
  /** Time between counted failures, in milliseconds: of each gap {@link FAILING_POLICY.failureGap} at most. */
  failingMs: number;
}

/** Whether a failure at `now` counts: once an hour, and after one of a clock that was ahead. */
export function countsAsFailure({ failedAt }: Failing, now: number): boolean {
  return !isRecent(failedAt, FAILING_POLICY.failureInterval, now);
}

/**
 * Whether a target has failed for so long that it is given up: by time that is certain, and in
 * failures that are spread over that time. One failure, and another after a week in which the hub
 * was off, or the clock has jumped, are no week of failing.
 * @param certainNow see `TrustedTime`.
 */
export function isHopeless({ failingSince, failingMs }: Failing, certainNow: number): boolean {
  const { disableAfter } = FAILING_POLICY;
  return (
    failingSince !== null && certainNow - failingSince >= disableAfter && failingMs >= disableAfter
  );
}
