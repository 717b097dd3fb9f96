import { isPending, isYetToCome } from '../common/clock-trust.js';
import { longestWaitMs, type ExchangeFailureKind } from './failure-policy.js';

/**
 * How long a right to exchange lasts, in milliseconds: it outlives the slowest exchange (5 s,
 * renewed before each further call), and after a crash the wait, one poll and one exchange stay
 * well within the 15 s that are promised.
 */
export const LEASE_MS = 10_000;

/**
 * An exchange comes before its time at most this often, in milliseconds and over all hosts: by
 * hand, or because what the last failure was about has changed.
 */
export const FORCE_INTERVAL_MS = 10_000;

/**
 * After a token of a tiny life the next exchange is not made before this, in milliseconds, unless
 * it is forced.
 */
export const EXCHANGE_INTERVAL_MS = 5000;

/** WeChat's advice: refresh a token of 2 hours at 1 h 50 min. */
export const REFRESH_MARGIN_MS = 10 * 60_000;

/** What the decision looks at; times are Unix milliseconds. */
export interface TokenTimes {
  hasToken: boolean;
  obtainedAt: number | null;
  expiresAt: number | null;
  refreshAt: number | null;
  /** Since when the token is known to be refused by WeChat; null while it is not. */
  invalidatedAt: number | null;
  /** End of the right to exchange; null when it was given back. */
  leaseUntil: number | null;
  /** Before this nothing is tried, after a failure or a token of a tiny life; null otherwise. */
  nextAttemptAt: number | null;
  /** What the last refresh failed of; null when it did not fail. */
  lastError: { kind: ExchangeFailureKind } | null;
}

/** `misdated`: it was got at a time that is yet to come, so nobody knows when it ends. */
export type RefreshReason =
  | 'missing'
  | 'expired'
  | 'invalidated'
  | 'interrupted'
  | 'failed'
  | 'near_expiry'
  | 'misdated'
  | 'fresh';

/** Whether a token has to be replaced, and why: the first reason that holds. */
export function refreshDecision(
  times: TokenTimes,
  now: number,
): { due: boolean; reason: RefreshReason } {
  if (!times.hasToken || times.expiresAt === null) return { due: true, reason: 'missing' };
  if (times.expiresAt <= now) return { due: true, reason: 'expired' };
  if (times.invalidatedAt !== null) return { due: true, reason: 'invalidated' };
  // The holder of the lease is gone: WeChat may have given it a token, which ends this one soon.
  if (times.leaseUntil !== null && !isPending(times.leaseUntil, LEASE_MS, now)) {
    return { due: true, reason: 'interrupted' };
  }
  if (isFailedRefresh(times)) return { due: true, reason: 'failed' };
  if ((times.refreshAt ?? 0) <= now) return { due: true, reason: 'near_expiry' };
  if (isYetToCome(times.obtainedAt, now)) return { due: true, reason: 'misdated' };
  return { due: false, reason: 'fresh' };
}

/**
 * Whether the last refresh failed and the token is due all the same. The failure has moved
 * `refreshAt` to the next attempt; that of a refresh which was forced before its time, and refused
 * by WeChat, has not, and the token is as good as before.
 */
function isFailedRefresh({ refreshAt, nextAttemptAt }: TokenTimes): boolean {
  return nextAttemptAt !== null && refreshAt === nextAttemptAt;
}

/**
 * Whether a refresh that is due may be tried; `misdated` where a time keeps it from that which is
 * further ahead than its failure asks for.
 */
export function attemptDecision(
  { nextAttemptAt, lastError }: Pick<TokenTimes, 'nextAttemptAt' | 'lastError'>,
  now: number,
): 'allowed' | 'put_off' | 'misdated' {
  if (nextAttemptAt === null || nextAttemptAt <= now) return 'allowed';
  const longest = lastError ? longestWaitMs(lastError.kind) : EXCHANGE_INTERVAL_MS;
  return isPending(nextAttemptAt, longest, now) ? 'put_off' : 'misdated';
}

/** Whether the token may still be handed out: WeChat takes it until it expires. */
export function isServable(times: TokenTimes, now: number): boolean {
  return times.hasToken && times.expiresAt !== null && times.expiresAt > now;
}

/**
 * How a token is doing, for people: `failing` and `refused` ones are still handed out. `failing` is due
 * and could not be replaced yet, `refused` is known to be refused by WeChat.
 * @param state with the attempts that failed since the last success.
 */
export function tokenCondition(
  state: TokenTimes & { attempts: number },
  now: number,
): 'ok' | 'failing' | 'refused' | 'none' {
  if (!isServable(state, now)) return 'none';
  if (state.invalidatedAt !== null) return 'refused';
  return state.attempts > 0 && refreshDecision(state, now).due ? 'failing' : 'ok';
}

/**
 * When to refresh a token that lives `expiresIn` seconds from `obtainedAt`: 10 minutes before its
 * end, or at half its life where that is later, so that a short life is no endless loop.
 * @param early share of the life, in [0, 1), by which it is refreshed still earlier: it spreads
 * tokens that were got together.
 * @param marginMs another time before its end.
 */
export function refreshTime(
  obtainedAt: number,
  expiresIn: number,
  early = 0,
  marginMs = REFRESH_MARGIN_MS,
): number {
  const life = expiresIn * 1000;
  const margin = Math.min(marginMs, Math.floor(life / 2));
  return obtainedAt + Math.floor((life - margin) * (1 - early));
}
