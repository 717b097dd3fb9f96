import { backoffMs, type Backoff } from '../common/backoff-formula.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { FailureKind } from '../wechat-api/wechat-errcode.js';
import { DAY_MS, nextQuotaDay } from '../common/times.js';

/** The kinds of a failed call, and `internal`: the hub itself could not finish the exchange. */
export type ExchangeFailureKind = FailureKind | 'internal';

/** What follows a failed exchange of one kind. */
export interface FailurePolicy {
  /** When to try again. `next_quota_day`: WeChat's counters start again at midnight in Beijing. */
  retry: Backoff | 'next_quota_day';
  /** Whether it takes a person to repair it. */
  operator: boolean;
  /** What to do, or what the hub does. */
  advice: string;
}

/** The whole failure policy: what to do after which kind of failure. */
export const FAILURE_POLICIES: Record<ExchangeFailureKind, FailurePolicy> = {
  busy: {
    retry: { baseSeconds: 2, maxSeconds: 60 },
    operator: false,
    advice: 'WeChat is busy; the hub tries again',
  },
  network: {
    retry: { baseSeconds: 2, maxSeconds: 60 },
    operator: false,
    advice: 'WeChat could not be reached; the hub tries again',
  },
  proxy: {
    retry: { baseSeconds: 2, maxSeconds: 60 },
    operator: true,
    advice: 'The proxy let no call of WeChat through; check it, HTTPS_PROXY and NO_PROXY',
  },
  garbage: {
    retry: { baseSeconds: 5, maxSeconds: 120 },
    operator: false,
    advice: 'WeChat, or something before it, gave no readable answer; the hub tries again',
  },
  rate: {
    retry: { baseSeconds: 60, maxSeconds: 300 },
    operator: false,
    advice: 'Too many calls in a minute; the hub waits',
  },
  ticket: {
    retry: { baseSeconds: 60, maxSeconds: 600 },
    operator: false,
    advice: 'WeChat refused every ticket; the hub asked for a push and goes on when one arrives',
  },
  token: {
    retry: { baseSeconds: 60, maxSeconds: 1800 },
    operator: true,
    advice: 'WeChat refused the credential; check AppID and AppSecret',
  },
  secret: {
    retry: { baseSeconds: 60, maxSeconds: 1800 },
    operator: true,
    advice: 'Check AppID and AppSecret against the WeChat console',
  },
  ip: {
    retry: { baseSeconds: 60, maxSeconds: 600 },
    operator: true,
    advice: "Add this server's address to the platform's IP white list in the WeChat console",
  },
  quota: {
    retry: 'next_quota_day',
    operator: true,
    advice: 'The daily quota is used up; clear it in the WeChat console, then refresh by hand',
  },
  banned: {
    retry: { baseSeconds: 600, maxSeconds: 3600 },
    operator: true,
    advice: 'WeChat restricted the platform; see the WeChat console',
  },
  code: {
    retry: { baseSeconds: 600, maxSeconds: 3600 },
    operator: false,
    advice:
      'The authorization code is used or expired; the account must change its permission sets or authorize again',
  },
  refresh_token: {
    retry: { baseSeconds: 3600, maxSeconds: 86_400 },
    operator: true,
    advice: 'The refresh token is void; the account has to authorize again',
  },
  withdrawn: {
    retry: { baseSeconds: 3600, maxSeconds: 86_400 },
    operator: false,
    advice: 'The account has withdrawn its authorization',
  },
  request: {
    retry: { baseSeconds: 300, maxSeconds: 3600 },
    operator: true,
    advice: 'WeChat did not understand the call; report it with errcode and rid',
  },
  internal: {
    retry: { baseSeconds: 5, maxSeconds: 60 },
    operator: false,
    advice: 'The hub could not finish the refresh; it tries again, and the log says why',
  },
  unknown: {
    retry: { baseSeconds: 30, maxSeconds: 600 },
    operator: true,
    advice: 'An errcode that the hub does not know; look it up',
  },
};

/** Spread of hosts and platforms after midnight. */
const QUOTA_SPREAD_MS = 5 * 60_000;

/** Longest that a failure of a kind may put off the next attempt. */
export function longestWaitMs(kind: ExchangeFailureKind): number {
  const { retry } = FAILURE_POLICIES[kind];
  if (retry === 'next_quota_day') return DAY_MS + QUOTA_SPREAD_MS;
  return backoffMs(retry, Number.MAX_SAFE_INTEGER, 1);
}

/** The same for a failure of any kind. */
export const LONGEST_WAIT_MS = Math.max(
  ...(Object.keys(FAILURE_POLICIES) as ExchangeFailureKind[]).map(longestWaitMs),
);

/** The kind of any failed exchange. */
export function failureKind(error: unknown): ExchangeFailureKind {
  return error instanceof WechatApiError ? error.kind : 'internal';
}

/**
 * When to try again, in Unix milliseconds.
 * @param attempts failures in a row, this one included.
 * @param random a number in [0, 1).
 */
export function nextAttemptAt(
  kind: ExchangeFailureKind,
  attempts: number,
  now: number,
  random: number,
): number {
  const { retry } = FAILURE_POLICIES[kind];
  if (retry !== 'next_quota_day') return now + backoffMs(retry, attempts, random);
  return nextQuotaDay(now) + Math.round(random * QUOTA_SPREAD_MS);
}
