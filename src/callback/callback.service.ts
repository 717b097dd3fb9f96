import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { sha256Hex } from '../common/secret.js';
import { emitTelemetry } from '../common/telemetry.js';
import { within } from '../common/time-limit.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { WechatCryptoErrcode, WechatCryptoError } from '../wechat-crypto/wechat-crypto.error.js';
import { readPushQuery, readUrlCheckQuery, type PushQuery } from './callback-query.js';
import { EventRecorder } from './event-recorder.js';
import { optionalTextField } from './push-fields.js';
import { PushVerifier, type VerifiedPush } from './push-verifier.js';

/** WeChat waits 5 s; what is not durable by now is answered 503, and WeChat pushes again. */
const ANSWER_LIMIT_MS = 4500;
/** Length of `callback_event.info_type`. */
const INFO_TYPE_LENGTH = 64;

/** Digits of a timestamp in Unix seconds, at the most. */
const TIMESTAMP_DIGITS = 12;

/** A push as it came in. */
export interface IncomingPush {
  componentAppId: string;
  query: Record<string, unknown>;
  body: Buffer | undefined;
  sourceAddress: string;
}

/** What is known of a push for the metrics: nothing that an unverified sender could choose. */
interface Seen {
  componentAppId: string;
  infoType: string;
  outcome: string;
}

/** Pushes to the authorization event URL (授权事件接收URL): verify, decrypt, record, answer. */
@Injectable()
export class CallbackService {
  constructor(
    private readonly components: ComponentService,
    private readonly verifier: PushVerifier,
    private readonly recorder: EventRecorder,
    private readonly clock: Clock,
  ) {}

  /** The answer for WeChat, once the push is durable. */
  async receive(push: IncomingPush): Promise<string> {
    const started = performance.now();
    const seen: Seen = { componentAppId: 'unknown', infoType: 'unverified', outcome: 'failed' };
    try {
      const { outcome, repeated } = await within(ANSWER_LIMIT_MS, this.accept(push, seen), () => {
        throw new HubError('too_slow', 'The push could not be stored in time; push it again', {
          status: 503,
        });
      });
      seen.outcome = repeated ? 'repeated' : outcome;
      return outcome;
    } catch (error) {
      if (error instanceof HubError) seen.outcome = error.code;
      throw error;
    } finally {
      const seconds = (performance.now() - started) / 1000;
      emitTelemetry('callback.push', { ...seen, seconds });
    }
  }

  /** The answer to the GET by which WeChat's console checks a URL: `echostr` as it came. */
  async checkUrl(componentAppId: string, query: Record<string, unknown>): Promise<string> {
    const component = await this.components.getEnabled(componentAppId);
    const check = readUrlCheckQuery(query);
    this.verifier.verifyUrlCheck(component, check);
    return check.echostr;
  }

  private async accept(
    push: IncomingPush,
    seen: Seen,
  ): Promise<{ outcome: string; repeated: boolean }> {
    const component = await this.components.getEnabled(push.componentAppId);
    seen.componentAppId = component.appid;
    const query = readPushQuery(push.query);
    const verified = this.verifier.verify(component, query, push.body);
    checkInnerAppId(verified, component);
    // An event without one is kept like an unknown one.
    const infoType = optionalTextField(verified.fields, 'InfoType') ?? '';
    seen.infoType = infoType.slice(0, INFO_TYPE_LENGTH);
    const id = uuidv7();
    const receivedAt = this.clock.now();
    return this.recorder.record({
      event: { id, componentAppId: component.appid, infoType, receivedAt, fields: verified.fields },
      row: {
        id,
        componentAppId: component.appid,
        kind: 'authorization',
        infoType: seen.infoType,
        authorizerAppId: null,
        msgType: null,
        event: null,
        fromUser: null,
        dedupKey: null,
        reply: null,
        createTime: createTimeOf(verified),
        receivedAt,
        sourceAddress: push.sourceAddress,
        keyUsed: verified.keyUsed,
        replayKey: replayKey(component, query),
      },
      xml: verified.xml,
    });
  }
}

function checkInnerAppId({ fields }: VerifiedPush, component: Component): void {
  if (optionalTextField(fields, 'AppId') === component.appid) return;
  throw new WechatCryptoError(
    WechatCryptoErrcode.appidMismatch,
    'The decrypted AppId is not the one of this URL',
  );
}

/** CreateTime where it is a time; a handler that needs it checks it. */
function createTimeOf({ fields }: VerifiedPush): number | null {
  const text = fields.CreateTime;
  return typeof text === 'string' && /^\d{1,12}$/.test(text) ? Number(text) : null;
}

function replayKey(component: Component, { timestamp, nonce, msgSignature }: PushQuery): string {
  const hash = sha256Hex([component.appid, timestamp, nonce, msgSignature].join('\n'));
  // Keys of about the same time stand together in the index, so a burst writes few of its pages.
  return timestamp.padStart(TIMESTAMP_DIGITS, '0') + hash.slice(TIMESTAMP_DIGITS);
}
