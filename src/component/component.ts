import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';

/** A credential that can be changed without downtime: the value before stays usable for a while. */
export interface Rotating<T = Secret> {
  current: T;
  /** The value before the last change, while it is still accepted; undefined afterwards. */
  previous?: T;
  /** Unix milliseconds. */
  changedAt: number;
}

/** A registered third-party platform, decrypted. */
export interface Component {
  appid: string;
  name: string;
  enabled: boolean;
  appSecret: Rotating;
  /** Message verification token (消息校验Token). */
  token: Rotating;
  /** Message encryption key (消息加解密Key). */
  encodingAesKey: Rotating;
  /** Unix milliseconds. */
  createdAt: number;
  /** Unix milliseconds. */
  updatedAt: number;
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
