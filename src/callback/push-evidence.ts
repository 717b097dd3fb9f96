import { Injectable } from '@nestjs/common';
import type { Secret } from '../common/secret.js';
import { TrustedTime } from '../common/trusted-time.js';
import type { Component, Rotating } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import type { PushQuery } from './callback-query.js';
import { isOwnNonce } from './own-push.js';
import type { VerifiedPush } from './push-verifier.js';

/** What a push that was recorded shows beside what it says: the time, and what WeChat still uses. */
@Injectable()
export class PushEvidence {
  constructor(
    private readonly components: ComponentService,
    private readonly crypto: WechatCryptoService,
    private readonly time: TrustedTime,
  ) {}

  /** Never throws and never waits. */
  note(
    component: Component,
    { token, key }: Pick<VerifiedPush, 'token' | 'key'>,
    { nonce, timestamp }: PushQuery,
  ): void {
    if (isOwnNonce(token, nonce)) return;
    this.time.witness(Number(timestamp) * 1000);
    this.components.noteUse(component.appid, {
      token: usedOf(component.token, (value) => value.equals(token)),
      encodingAesKey: usedOf(component.encodingAesKey, (value) =>
        this.crypto.decodeKey(value.reveal()).equals(key),
      ),
    });
  }
}

function usedOf(
  { current, previous }: Rotating,
  isIt: (value: Secret) => boolean,
): Secret | undefined {
  return [current, ...previous].find(isIt);
}
