import { HubError } from '../common/hub-error.js';

/** Whether the account's tokens can be had. */
export type AuthorizerStatus = 'active' | 'revoked' | 'needs_reauthorization' | 'suspended';
export const AUTHORIZER_STATUSES = [
  'active',
  'revoked',
  'needs_reauthorization',
  'suspended',
] as const satisfies AuthorizerStatus[];

/** What kind of account it is; `unknown` until its information was fetched. */
export type AuthorizerType = 'official_account' | 'mini_program' | 'unknown';

/** Identity of an authorization: the same account may be authorized to several platforms. */
export interface AuthorizerId {
  componentAppId: string;
  authorizerAppId: string;
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
        ...id,
        revokedAt: revokedAt === null ? null : new Date(revokedAt).toISOString(),
      },
    });
  }
}

/** WeChat gives no token until the account authorizes again (409). */
export class NeedsReauthorizationError extends HubError {
  constructor(id: AuthorizerId, authorizeUrl: string) {
    super(
      'needs_reauthorization',
      'The account has to authorize again: its refresh token is void and WeChat lists no other. ' +
        `Send its administrator ${authorizeUrl}`,
      { status: 409, details: { ...id, authorizeUrl } },
    );
  }
}
