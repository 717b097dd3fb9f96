import { Injectable } from '@nestjs/common';
import { optionalTextField, textField } from '../callback/push-fields.js';
import type { PushContent } from '../callback/push-url.js';
import type { VerifiedPush } from '../callback/push-verifier.js';
import { HubError } from '../common/hub-error.js';
import type { Component } from '../component/component.js';
import { WechatCryptoErrcode, WechatCryptoError } from '../wechat-crypto/wechat-crypto.error.js';
import { AccountNames } from './account-names.js';
import { dedupKey } from './dedup-key.js';
import { isReleaseCheckAccount, releaseCheckAnswer } from './release-check.js';

/** What an appid is made of; the length is that of the column. */
const APPID = /^[A-Za-z0-9_-]{1,64}$/;

/** Reads verified pushes of 消息与事件接收URL: messages and events of the accounts. */
@Injectable()
export class MessageReader {
  constructor(private readonly names: AccountNames) {}

  /** @throws {HubError} for what is no message of this account. */
  async read(
    verified: VerifiedPush,
    component: Component,
    authorizerAppId: string,
  ): Promise<PushContent> {
    const { fields, text } = verified;
    // First of all: a push of the other URL has none, and must not be taken for a message.
    const msgType = textField(fields, 'MsgType');
    const id = { componentAppId: component.appid, authorizerAppId };
    await this.checkToUserName(verified, id);
    const isEvent = msgType === 'event';
    const event = (isEvent && optionalTextField(fields, 'Event')) || null;
    const check = releaseCheckAnswer({ authorizerAppId, msgType, event, fields });
    return {
      kind: isEvent ? 'event' : 'message',
      authorizerAppId,
      infoType: '',
      msgType,
      event,
      fromUser: optionalTextField(fields, 'FromUserName') || null,
      dedupKey: dedupKey({ ...id, fields, text }),
      outcome: check?.kind === 'code' ? 'empty' : 'success',
      forHub: isReleaseCheckAccount(authorizerAppId),
    };
  }

  /** The path, which no signature covers, must name the account that the message is for. */
  private async checkToUserName(
    { fields, outer }: VerifiedPush,
    id: { componentAppId: string; authorizerAppId: string },
  ): Promise<void> {
    const toUserName = textField(fields, 'ToUserName');
    if (outer.ToUserName !== undefined && outer.ToUserName !== toUserName) {
      throw mismatch("The push's outer ToUserName is not the decrypted one");
    }
    const userName = await this.names.userNameOf(id);
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
