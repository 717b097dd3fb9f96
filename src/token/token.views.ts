import { z } from 'zod';
import { timeView } from '../http/field-schemas.js';
import type { ServableState, TokenState } from '../token-engine/token-state.js';
import { isoTime } from '../common/times.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

const lastErrorView = z
  .object({
    code: z.string(),
    message: z.string(),
    messageRemark: remarkOf('message'),
    kind: z.string().describe('Class of the failure policy: busy, quota, ticket, secret, ip, …'),
    errcode: z.int().optional().describe("WeChat's errcode"),
    rid: z.string().optional().describe("WeChat's request id"),
    clientIp: z.string().optional().describe('The address that WeChat saw, where it names one'),
    operator: z.boolean().describe('Whether a person must act'),
    advice: z.string(),
    at: timeView,
  })
  .meta({ id: 'TokenError' });

/** A component_access_token as `/admin/tokens` shows it. */
export const tokenView = z
  .object({
    componentAppId: z.string(),
    componentAccessToken: z.string().nullable().describe('Masked unless reveal=true'),
    obtainedAt: timeView.nullable(),
    expiresAt: timeView.nullable(),
    refreshAt: timeView.nullable(),
    remainingSeconds: z.int().describe('0 when there is no valid token'),
    generation: z.int(),
    invalidatedAt: timeView.nullable().describe('Since when WeChat is known to refuse the token'),
    attempts: z.int().describe('Failures in a row'),
    nextAttemptAt: timeView
      .nullable()
      .describe('Nothing is tried before: after a failure, or 5 s after a token of a tiny life'),
    lastError: lastErrorView.nullable(),
  })
  .meta({ id: 'Token' });
export type TokenView = z.infer<typeof tokenView>;

/** The answer for services, in WeChat's own field names. */
export const accessTokenView = z
  .object({
    component_access_token: z.string(),
    expires_in: z.int().describe('Seconds left'),
  })
  .meta({ id: 'ComponentAccessToken' });
export type AccessTokenView = z.infer<typeof accessTokenView>;

export const invalidateBody = z
  .object({ token: z.string().min(1).max(4096) })
  .meta({ id: 'RefusedToken' });

export function toTokenView(
  componentAppId: string,
  state: TokenState,
  now: number,
  reveal: boolean,
): TokenView {
  const { token } = state;
  return {
    componentAppId,
    componentAccessToken: token && (reveal ? token.reveal() : token.mask()),
    obtainedAt: isoTime(state.obtainedAt),
    expiresAt: isoTime(state.expiresAt),
    refreshAt: isoTime(state.refreshAt),
    remainingSeconds: secondsLeft(state, now),
    generation: state.generation,
    invalidatedAt: isoTime(state.invalidatedAt),
    attempts: state.attempts,
    nextAttemptAt: isoTime(state.nextAttemptAt),
    lastError: toLastErrorView(state),
  };
}

export function toAccessTokenView(state: ServableState, now: number): AccessTokenView {
  return { component_access_token: state.token.reveal(), expires_in: secondsLeft(state, now) };
}

/** Whole seconds for which the token is still valid: never more than WeChat gave it. */
export function secondsLeft(
  { expiresAt, expiresIn }: Pick<TokenState, 'expiresAt' | 'expiresIn'>,
  now: number,
): number {
  const left = Math.floor(((expiresAt ?? 0) - now) / 1000);
  return Math.max(0, Math.min(left, expiresIn ?? left));
}

function toLastErrorView({ lastError }: TokenState): TokenView['lastError'] {
  if (!lastError) return null;
  const { code, message, kind, operator, advice, details } = lastError;
  const { errcode, rid, clientIp } = details as {
    errcode?: number;
    rid?: string;
    clientIp?: string;
  };
  return {
    code,
    message,
    messageRemark: toRemarkView(message),
    kind,
    errcode,
    rid,
    clientIp,
    operator,
    advice,
    at: isoTime(lastError.at),
  };
}

export const tokenViewExample: TokenView = {
  componentAppId: 'wx0123456789abcdef',
  componentAccessToken: '****Qz7w',
  obtainedAt: '2025-11-22T08:00:00.000Z',
  expiresAt: '2025-11-22T10:00:00.000Z',
  refreshAt: '2025-11-22T09:50:00.000Z',
  remainingSeconds: 7158,
  generation: 12,
  invalidatedAt: null,
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
};

export const accessTokenExample: AccessTokenView = {
  component_access_token: 'fake_component_access_token',
  expires_in: 7158,
};
