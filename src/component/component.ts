import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import type { SecretUnreadableError } from '../secrets/secret-box.js';

/**
 * A credential that can be changed without downtime: the values before stay usable until WeChat
 * uses them no more. Times are Unix milliseconds.
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
}

/** The credentials that rotate. */
export const ROTATING_FIELDS = ['appSecret', 'token', 'encodingAesKey'] as const;
export type RotatingField = (typeof ROTATING_FIELDS)[number];

/** The values that WeChat has used, or taken, in one push or call. */
export type UsedCredentials = { [F in RotatingField]?: Secret | undefined };

/** A previous value that is accepted no more. */
export interface EndedCredential {
  field: RotatingField;
  /** Unix milliseconds. */
  replacedAt: number;
}

/** What is known of a third-party platform without its secrets. */
export interface ComponentFacts {
  appid: string;
  name: string;
  enabled: boolean;
  /** Unix milliseconds. */
  createdAt: number;
  /** Unix milliseconds. */
  updatedAt: number;
}

/** A registered third-party platform, decrypted. */
export interface Component extends ComponentFacts {
  appSecret: Rotating;
  /** Message verification token (消息校验Token). */
  token: Rotating;
  /** Message encryption key (消息加解密Key). */
  encodingAesKey: Rotating;
}

/** A registered third-party platform whose secrets can't be decrypted: it can only be mended. */
export interface UnreadableComponent extends ComponentFacts {
  /** When each credential was changed, in Unix milliseconds. */
  changedAt: Record<RotatingField, number>;
  error: SecretUnreadableError;
}

/** The registered platforms, by appid, in the order in which they were added. */
export interface Components {
  readable: Map<string, Component>;
  /** Those whose secrets can't be decrypted: they keep no other from working. */
  unreadable: Map<string, UnreadableComponent>;
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

/** The stored credentials of the third-party platform can't be decrypted (503). */
export class ComponentUnreadableError extends HubError {
  constructor(appid: string, cause: SecretUnreadableError) {
    super(
      'component_unreadable',
      `${cause.message}. Restore the master key; if it is lost, give appSecret, token and ` +
        `encodingAesKey together to PATCH /admin/components/${appid}`,
      { status: 503, level: 'warn', details: { componentAppId: appid }, cause },
    );
  }
}
