import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';

/**
 * A credential that can be changed without downtime: the values before stay usable until WeChat
 * no longer uses them. Times are Unix milliseconds.
 */
export interface Rotating<T = Secret> {
  current: T;
  /** The values before the last changes that are still accepted, newest first. */
  previous: T[];
  changedAt: number;
  /** When WeChat has last used the current one, to the minute. */
  lastUsedAt: number | null;
  /** The same of each of {@link previous}, in their order. */
  previousUses: PreviousUse[];
}

/** What is known of a value before the current one. Times are Unix milliseconds. */
export interface PreviousUse {
  replacedAt: number;
  /** Null where WeChat has not used it since uses are noted. */
  lastUsedAt: number | null;
  /**
   * It is no longer accepted from the first use of the current one after this time, provided that it
   * is not used itself until then; null where only an operator ends it.
   */
  endsAt: number | null;
}

/** The credentials that rotate. */
export const ROTATING_FIELDS = ['appSecret', 'token', 'encodingAesKey'] as const;
export type RotatingField = (typeof ROTATING_FIELDS)[number];

/** The values that WeChat has used, or taken, in one push or call. */
export type UsedCredentials = { [F in RotatingField]?: Secret | undefined };

/** A previous value that is no longer accepted. */
export interface EndedCredential {
  field: RotatingField;
  /** Unix milliseconds. */
  replacedAt: number;
}

/** A registered third-party platform. */
export interface Component {
  appid: string;
  name: string;
  enabled: boolean;
  /** Unix milliseconds. */
  createdAt: number;
  /** Unix milliseconds. */
  updatedAt: number;
  appSecret: Rotating;
  /** Message verification token (消息校验Token). */
  token: Rotating;
  /** Message encryption key (消息加解密Key). */
  encodingAesKey: Rotating;
  /**
   * Why a current credential cannot be read: the platform can only be repaired then, and keeps no
   * other from working.
   */
  problem: HubError | undefined;
}

/** Who may ask WeChat for a push: this caller, or somebody from `nextAt` on. */
export interface StartPushClaim {
  granted: boolean;
  /** Unix milliseconds. */
  nextAt: number;
}

/** No third-party platform of that appid is registered (404). */
export class ComponentUnknownError extends HubError {
  constructor(appid: string) {
    super('component_unknown', 'No such third-party platform is registered', {
      status: 404,
      details: { componentAppId: appid.slice(0, 64) },
    });
  }
}

/** The third-party platform was disabled by an administrator (403). */
export class ComponentDisabledError extends HubError {
  constructor(appid: string) {
    super('component_disabled', 'This third-party platform is disabled', {
      status: 403,
      details: { componentAppId: appid },
    });
  }
}

/** The stored credentials of the third-party platform cannot be decrypted (503). */
export class ComponentUnreadableError extends HubError {
  constructor(appid: string, cause: HubError) {
    super(
      'component_unreadable',
      `${cause.message}. Restore the master key; if it is lost, give appSecret, token and ` +
        `encodingAesKey together to PATCH /admin/components/${appid}`,
      { status: 503, level: 'warn', details: { componentAppId: appid }, cause },
    );
  }
}
