import type { Component } from '../component/component.js';
import { WechatCryptoErrcode, WechatCryptoError } from '../wechat-crypto/wechat-crypto.error.js';
import { optionalTextField } from './push-fields.js';
import type { PushUrl } from './push-url.js';
import type { VerifiedPush } from './push-verifier.js';

/** 授权事件接收URL: everything that is meant for the platform alone. Always XML. */
export const authorizationUrl: PushUrl = {
  json: false,
  read(verified, component) {
    checkInnerAppId(verified, component);
    return {
      kind: 'authorization',
      authorizerAppId: null,
      // An event without one is kept like an unknown one.
      infoType: optionalTextField(verified.fields, 'InfoType') ?? '',
      msgType: null,
      event: null,
      fromUser: null,
      dedupKey: null,
      outcome: 'success',
      forHub: false,
    };
  },
};

function checkInnerAppId({ fields }: VerifiedPush, component: Component): void {
  if (optionalTextField(fields, 'AppId') === component.appid) return;
  throw new WechatCryptoError(
    WechatCryptoErrcode.appidMismatch,
    'The decrypted AppId is not the one of this URL',
  );
}
