import { HubError } from '../common/hub-error.js';
import { Secret } from '../common/secret.js';
import type { SecretBox } from '../secrets/secret-box.js';

/** How long a stand-in for a token is good, in seconds, whatever is left of the real one. */
export const STAND_IN_SECONDS = 7200;
/** How long one for a user's refresh token is good: WeChat's 30 days. */
export const USER_REFRESH_SECONDS = 30 * 24 * 3600;

/** What a stand-in stands for, and the letter that it is sealed with. */
const LETTERS = {
  component: 'c',
  account: 'a',
  /** An account's refresh token. */
  refresh: 'f',
  /** A user's tokens of a web authorization; WeChat's own are inside. */
  user: 'u',
  user_refresh: 'r',
} as const;
export type StandInKind = keyof typeof LETTERS;

const PURPOSE = 'stand-in';
const CODE_PURPOSE = 'code';
const FORM = /^[\w-]{33,1024}$/;

/** What is sealed in a stand-in: any host reads it without a look-up. */
export interface StandIn {
  kind: StandInKind;
  /** The API key that it was given for. */
  keyId: string;
  /** Beginning of that key's hash: another secret of the same key does not open it. */
  mark: string;
  componentAppId: string;
  /** Of an account or one of its users. */
  authorizerAppId?: string;
  /** WeChat's own token, where the hub keeps none: a user's. */
  token?: Secret;
  /** Unix milliseconds; without it there is no end. */
  expiresAt?: number;
}

/**
 * Letters, digits, `_` and `-`: SDKs send it without escaping. One without an end is the same each
 * time: SDKs keep things under its name.
 */
export function sealStandIn(standIn: StandIn, box: SecretBox): string {
  const { kind, keyId, mark, componentAppId, authorizerAppId = '', token, expiresAt } = standIn;
  const end = expiresAt === undefined ? '' : Math.floor(expiresAt / 1000).toString(36);
  const fields = [LETTERS[kind], keyId, mark, componentAppId, authorizerAppId, end];
  const text = [...fields, token?.reveal() ?? ''].join(' ');
  return box.sealToken(text, PURPOSE, { stable: expiresAt === undefined });
}

/**
 * Reads one that {@link sealStandIn} made under any of the master keys.
 * @throws {HubError} 401 `stand_in_forged`, `stand_in_expired`
 */
export function openStandIn(given: string, box: SecretBox, now: number): StandIn {
  const text = FORM.test(given) ? box.openToken(given, PURPOSE) : undefined;
  if (text === undefined)
    throw refusal('stand_in_forged', 'invalid credential, it is no token of this hub');
  const [letter, keyId = '', mark = '', componentAppId = '', account = '', end = '', token = ''] =
    text.split(' ');
  const kind = (Object.keys(LETTERS) as StandInKind[]).find((name) => LETTERS[name] === letter);
  if (!kind) throw refusal('stand_in_forged', 'invalid credential, it is no token of this hub');
  const expiresAt = end === '' ? undefined : Number.parseInt(end, 36) * 1000;
  if (expiresAt !== undefined && now >= expiresAt) {
    throw refusal('stand_in_expired', 'access_token expired');
  }
  return {
    kind,
    keyId,
    mark,
    componentAppId,
    ...(account !== '' && { authorizerAppId: account }),
    ...(token !== '' && { token: new Secret(token) }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/**
 * An authorization code as an SDK gets it with its event: `api_query_auth` of this hub alone knows
 * what to do with it. The same each time, so that an event that comes again is the same.
 */
export function sealCode(componentAppId: string, code: string, box: SecretBox): string {
  return box.sealToken(`${componentAppId} ${code}`, CODE_PURPOSE, { stable: true });
}

/** The code that {@link sealCode} was given for this platform; undefined for anything else. */
export function openCode(
  given: string,
  componentAppId: string,
  box: SecretBox,
): Secret | undefined {
  const [platform, ...code] = box.openToken(given, CODE_PURPOSE)?.split(' ') ?? [];
  return platform === componentAppId ? new Secret(code.join(' ')) : undefined;
}

function refusal(code: string, message: string): HubError {
  return new HubError(code, message, { status: 401, level: 'log' });
}
