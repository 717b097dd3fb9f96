/** WeChat's advice: refresh a token of 2 hours at 1 h 50 min. */
export const REFRESH_MARGIN_MS = 10 * 60_000;

/** What the decision looks at; times are Unix milliseconds. */
export interface TokenTimes {
  hasToken: boolean;
  expiresAt: number | null;
  refreshAt: number | null;
  /** Since when the token is known to be refused by WeChat; null while it is not. */
  invalidatedAt: number | null;
  /** End of the right to exchange; null when it was given back. */
  leaseUntil: number | null;
  /** When a failed refresh is tried again; null when the last one did not fail. */
  nextAttemptAt: number | null;
}

export type RefreshReason =
  'missing' | 'expired' | 'invalidated' | 'interrupted' | 'failed' | 'near_expiry' | 'fresh';

/** Whether a token has to be replaced, and why: the first reason that holds. */
export function refreshDecision(
  times: TokenTimes,
  now: number,
): { due: boolean; reason: RefreshReason } {
  if (!times.hasToken || times.expiresAt === null) return { due: true, reason: 'missing' };
  if (times.expiresAt <= now) return { due: true, reason: 'expired' };
  if (times.invalidatedAt !== null) return { due: true, reason: 'invalidated' };
  // Whoever held the lease is gone: WeChat may have given it a token, which ends this one soon.
  if (times.leaseUntil !== null && times.leaseUntil <= now) {
    return { due: true, reason: 'interrupted' };
  }
  if (times.nextAttemptAt !== null && times.refreshAt === times.nextAttemptAt) {
    return { due: true, reason: 'failed' };
  }
  if ((times.refreshAt ?? 0) <= now) return { due: true, reason: 'near_expiry' };
  return { due: false, reason: 'fresh' };
}

/** Whether the token may still be handed out: WeChat takes it until it expires. */
export function isServable(times: TokenTimes, now: number): boolean {
  return times.hasToken && times.expiresAt !== null && times.expiresAt > now;
}

/**
 * When to refresh a token that lives `expiresIn` seconds from `obtainedAt`: 10 minutes before its
 * end, or at half its life where that is later, so that a short life is no endless loop.
 * @param early share of the life, in [0, 1), by which it is refreshed still earlier: it spreads
 * tokens that were got together.
 */
export function refreshTime(obtainedAt: number, expiresIn: number, early = 0): number {
  const life = expiresIn * 1000;
  const margin = Math.min(REFRESH_MARGIN_MS, Math.floor(life / 2));
  return obtainedAt + Math.floor((life - margin) * (1 - early));
}
