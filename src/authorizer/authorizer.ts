import { HubError } from '../common/hub-error.js';
import { isoTime } from '../common/times.js';

/**
 * Whether the account's tokens can be had.
 *
 * ```
 *             code exchanged, or WeChat lists it
 *   (nothing) ────────────────▶ active ◀──────────────────────────┐
 *       │                       │ │ │                             │ code exchanged,
 *       │ code refused          │ │ └─ unauthorized, 61003 ─▶ revoked ─┤ or WeChat lists it
 *       ▼                       │ └─── frozen, cancelled ─▶ suspended ─┤
 *   needs_reauthorization ◀─────┘ refresh token void (61023)           │
 *       └──────────────────────────────────────────────────────────────┘
 * ```
 */
export type AuthorizerStatus = 'active' | 'revoked' | 'needs_reauthorization' | 'suspended';
export const AUTHORIZER_STATUSES = [
  'active',
  'revoked',
  'needs_reauthorization',
  'suspended',
] as const satisfies AuthorizerStatus[];

/** What kind of account it is; `unknown` until its information was fetched. */
export type AuthorizerType = 'official_account' | 'mini_program' | 'unknown';
export const AUTHORIZER_TYPES = [
  'official_account',
  'mini_program',
  'unknown',
] as const satisfies AuthorizerType[];

/** Identity of an authorization: the same account may be authorized to several platforms. */
export interface AuthorizerId {
  componentAppId: string;
  authorizerAppId: string;
}

/** The identity alone, of something that has it among other things. */
export function authorizerIdOf({ componentAppId, authorizerAppId }: AuthorizerId): AuthorizerId {
  return { componentAppId, authorizerAppId };
}

/** The identity as one key, for maps and the token engine. */
export function authorizerKey({ componentAppId, authorizerAppId }: AuthorizerId): string {
  return `${componentAppId}/${authorizerAppId}`;
}

/** The identity that {@link authorizerKey} was made of. */
export function authorizerOfKey(key: string): AuthorizerId {
  const [componentAppId = '', authorizerAppId = ''] = key.split('/');
  return { componentAppId, authorizerAppId };
}

/** No such account is authorized (404). */
export class AuthorizerUnknownError extends HubError {
  constructor(authorizerAppId: string) {
    super('authorizer_unknown', 'No such account has authorized a third-party platform here', {
      status: 404,
      details: { authorizerAppId: authorizerAppId.slice(0, 64) },
    });
  }
}

/** The account has withdrawn its authorization (410). */
export class AuthorizerRevokedError extends HubError {
  constructor(id: AuthorizerId, revokedAt: number | null) {
    super('authorizer_revoked', 'The account has withdrawn its authorization', {
      status: 410,
      details: {
        ...authorizerIdOf(id),
        revokedAt: isoTime(revokedAt),
      },
    });
  }
}

/** WeChat gives no token until the account authorizes again (409). */
export class NeedsReauthorizationError extends HubError {
  constructor(id: AuthorizerId, authorizeUrl: string) {
    super(
      'needs_reauthorization',
      'WeChat gives no token until the account authorizes again. ' +
        `Send its administrator ${authorizeUrl}`,
      { status: 409, details: { ...authorizerIdOf(id), authorizeUrl } },
    );
  }
}

/** WeChat has frozen, banned or cancelled the account (409). */
export class AuthorizerSuspendedError extends HubError {
  constructor(id: AuthorizerId) {
    super(
      'authorizer_suspended',
      'WeChat has frozen, banned or cancelled the account; it is asked again once a day',
      { status: 409, details: { ...authorizerIdOf(id) } },
    );
  }
}

/** The account authorized, but has no API rights: WeChat gave no tokens for it (409). */
export class NoApiRightsError extends HubError {
  constructor(id: AuthorizerId) {
    super(
      'authorizer_without_api',
      'WeChat gave no tokens for this account: it has no API rights',
      { status: 409, details: { ...authorizerIdOf(id) } },
    );
  }
}

/**
 * What brought a code: the way back of a browser (`redirect`), the release check, or an event, by its
 * InfoType.
 */
export type CodeSource =
  'redirect' | 'release_check' | 'authorized' | 'updateauthorized' | 'notify_third_fasteregister';
