import { Injectable } from '@nestjs/common';
import {
  authorizationContent,
  isAuthorizationEvent,
  messageContent,
} from '../callback/authorization-url.js';
import { APPID } from '../common/appid.js';
import type { PushContent } from '../callback/push-url.js';
import type { VerifiedPush } from '../callback/push-verifier.js';
import { releaseCheckAccount } from '../callback/release-check-accounts.js';
import { HubError } from '../common/hub-error.js';
import { firstText } from '../wechat-crypto/push-text.js';
import { WechatCryptoErrcode, WechatCryptoError } from '../wechat-crypto/wechat-crypto.error.js';
import { AccountNames } from './account-names.js';
import { releaseCheckAnswer } from '../release-check/release-check.js';

/** Reads verified pushes of 消息与事件接收URL: messages and events of the accounts. */
@Injectable()
export class MessageReader {
  constructor(private readonly names: AccountNames) {}

  /** @throws {WechatCryptoError} -40005 for a push of another platform or account. */
  async read(verified: VerifiedPush, authorizerAppId: string): Promise<PushContent> {
    const { fields } = verified;
    // Whatever the URL: a ticket that is entered at the wrong place in the console is a ticket.
    if (isAuthorizationEvent(fields)) return authorizationContent(verified);
    await this.checkToUserName(verified, authorizerAppId);
    const content = messageContent(verified, authorizerAppId);
    const check = releaseCheckAnswer({ ...content, fields });
    const outcome = check?.kind === 'code' ? 'empty' : 'success';
    return { ...content, outcome, forHub: check !== undefined };
  }

  /**
   * The path, which no signature covers, must not name another account than the push does. Some
   * events name none.
   */
  private async checkToUserName(
    { component, fields, outer }: VerifiedPush,
    authorizerAppId: string,
  ): Promise<void> {
    const toUserName = firstText(fields, 'ToUserName') || undefined;
    if (toUserName === undefined) return;
    if (outer.ToUserName !== undefined && outer.ToUserName !== toUserName) {
      throw mismatch("The push's outer ToUserName is not the decrypted one");
    }
    const known = releaseCheckAccount(authorizerAppId);
    const id = { componentAppId: component.appid, authorizerAppId };
    const userName = known ? known.userName : await this.names.userNameOf(id);
    if (userName !== null && userName !== toUserName) {
      throw mismatch('The decrypted ToUserName is not the account of this URL');
    }
  }
}

/** @throws {HubError} 400 `authorizer_appid_invalid` for a path that no account can have. */
export function checkAuthorizerAppId(authorizerAppId: string): void {
  if (APPID.test(authorizerAppId)) return;
  throw new HubError(
    'authorizer_appid_invalid',
    'The path must end with an appid; in the WeChat console it is written $APPID$, and WeChat ' +
      'puts the appid in its place',
    { status: 400, level: 'warn' },
  );
}

function mismatch(message: string): WechatCryptoError {
  return new WechatCryptoError(WechatCryptoErrcode.appidMismatch, message);
}
