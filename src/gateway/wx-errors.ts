import { HubError } from '../common/hub-error.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { mayHaveArrived } from './gateway.client.js';

/** What the `errcode`s of the hub's own mean. */
const MEANINGS = [
  [-1, 'there is no token now, or WeChat was not reached; another try may help'],
  [40001, 'the token is no stand-in of this hub, or its key has ended'],
  [
    40013,
    'the account or platform is unknown, not the key’s, or which platform is meant is not clear',
  ],
  [40030, 'the refresh token is none'],
  [40066, 'the path is none of WeChat’s'],
  [40097, 'the type is neither jsapi nor wx_card'],
  [40125, 'the secret is no API key, or one that has ended'],
  [40164, 'the key is not for this network'],
  [41001, 'there is no token'],
  [41004, 'there is no secret'],
  [42001, 'the stand-in has ended'],
  [45002, 'the body is too long'],
  [
    45011,
    'the key has spent its requests of this minute, or WeChat’s limit is known to be reached',
  ],
  [47001, 'the query or the body cannot be read'],
  [48001, 'the key may not call this path, or nobody may'],
  [50002, 'the account is suspended'],
  [61003, 'the account has withdrawn, or is not among those of the key'],
  [61010, 'the authorization code is none that WeChat takes'],
  [61014, 'the path wants the platform’s token'],
  [61023, 'the account has to authorize again'],
] as const;
export type WxErrcode = (typeof MEANINGS)[number][0];
export const ERRCODE_MEANINGS: ReadonlyMap<WxErrcode, string> = new Map(MEANINGS);

/**
 * What an SDK is answered for an error of the hub. A wrong key is 40125, and what a key may not do
 * 48001: with 40001 SDKs fetch another token and call again, some of them without end.
 */
const ERRCODES: Record<string, WxErrcode> = {
  unauthorized: 40125,
  key_revoked: 40125,
  key_expired: 40125,
  component_unknown: 40013,
  authorizer_unknown: 40013,
  component_ambiguous: 40013,
  token_missing: 41001,
  secret_missing: 41004,
  stand_in_forged: 40001,
  stand_in_dead: 40001,
  stand_in_expired: 42001,
  missing_scope: 48001,
  component_token_needed: 61014,
  kept_by_hub: 48001,
  not_allowed: 48001,
  account_not_allowed: 61003,
  authorizer_revoked: 61003,
  needs_reauthorization: 61023,
  authorizer_suspended: 50002,
  authorizer_without_api: 48001,
  authorization_code_refused: 61010,
  rate_limited: 45011,
  too_many_attempts: 45011,
  user_refresh_token_forged: 40030,
  bad_type: 40097,
  bad_wechat_path: 40066,
  body_too_large: 45002,
};
/** Of `not_allowed`, by what is missing. */
const BY_LIMIT: Record<string, WxErrcode> = { platform: 40013, account: 40013, network: 40164 };
const BUSY: WxErrcode = -1;
const BAD_DATA: WxErrcode = 47001;
/** Errors of WeChat's that are about what the caller has: those about what the hub has are -1. */
const OWN_TROUBLE = ['token', 'secret', 'ticket', 'ip'];

/** WeChat's code for an error of the hub. */
export function errcodeFor(error: HubError): number {
  const { code, status, details } = error;
  if (error instanceof WechatApiError) {
    return error.errcode === undefined || OWN_TROUBLE.includes(error.kind) ? BUSY : error.errcode;
  }
  if (code === 'wechat_quota_spent') return Number(details.errcode);
  if (code === 'not_allowed') return BY_LIMIT[String(details.missing)] ?? 48001;
  return ERRCODES[code] ?? (status >= 500 || status === 429 ? BUSY : BAD_DATA);
}

/**
 * HTTP status of such an answer: 200, as WeChat's are. A POST that WeChat may have got is 504, since
 * SDKs send it again after -1; a hub that calls itself is 508.
 */
export function statusFor(error: HubError, method: string): number {
  if (error.status === 508) return 508;
  return method !== 'GET' && mayHaveArrived(error) ? 504 : 200;
}

/** WeChat's form of an error. */
export function errorAnswer(error: HubError, id: string): { errcode: number; errmsg: string } {
  // An SDK's key is its secret; what the hub says of a bearer would mislead.
  const message =
    error.code === 'unauthorized' ? 'invalid appsecret: it must be an API key' : error.message;
  return { errcode: errcodeFor(error), errmsg: `${message} rid: ${id}` };
}

/** As {@link HubError}s of this address are made: refused, and nothing that a person must see. */
export function wxRefusal(code: string, message: string, status = 400): HubError {
  return new HubError(code, message, { status, level: 'log' });
}
