import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { sha256Hex } from '../common/secret.js';
import { emitTelemetry } from '../common/telemetry.js';
import { within } from '../common/time-limit.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { firstText } from '../wechat-crypto/push-text.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import { isJsonText } from '../wechat-crypto/wechat-json.js';
import type { ArrivedPush } from './arrived-push.js';
import { readPushQuery, readUrlCheckQuery, type PushQuery } from './callback-query.js';
import { EventRecorder, type Recorded } from './event.recorder.js';
import { PushAnswers, type PushAnswer } from './push-answers.js';
import { PushEvidence } from './push-evidence.js';
import type { PushUrl } from './push-url.js';
import { PushVerifier, type VerifiedPush } from './push-verifier.js';

/** WeChat waits 5 s; what is not durable by now is answered 503, and WeChat pushes again. */
const STORE_LIMIT_MS = 4500;
/** Longest name of a push that the metrics show. */
const LABEL_LENGTH = 64;
/** Digits of a timestamp in Unix seconds, at the most. */
const TIMESTAMP_DIGITS = 12;

/** A push as it came in. */
export interface IncomingPush {
  componentAppId: string;
  query: Record<string, unknown>;
  body: Buffer | undefined;
  sourceAddress: string;
  /** Milliseconds since its first byte, from which WeChat counts. */
  elapsedMs: number;
}

/** A push that is in the database, and what its answer is made with. */
interface AcceptedPush {
  push: ArrivedPush;
  recorded: Recorded;
  component: Component;
  verified: VerifiedPush;
  query: PushQuery;
}

/** What is known of a push for the metrics: nothing that an unverified sender could choose. */
interface Seen {
  componentAppId: string;
  infoType: string;
  outcome: string;
}

/** Pushes to either URL: verify, decrypt, record, answer. */
@Injectable()
export class CallbackService {
  constructor(
    private readonly components: ComponentService,
    private readonly verifier: PushVerifier,
    private readonly recorder: EventRecorder,
    private readonly answers: PushAnswers,
    private readonly evidence: PushEvidence,
    private readonly crypto: WechatCryptoService,
    private readonly clock: Clock,
  ) {}

  /** The answer for WeChat, once the push is durable. */
  async receive(incoming: IncomingPush, url: PushUrl): Promise<string> {
    const arrived = performance.now() - incoming.elapsedMs;
    const seen: Seen = { componentAppId: 'unknown', infoType: 'unverified', outcome: 'failed' };
    try {
      const accepting = this.accept(incoming, url, seen);
      const limit = Math.max(0, arrived + STORE_LIMIT_MS - performance.now());
      const accepted = await within(limit, accepting, () => {
        throw new HubError('too_slow', 'The push could not be stored in time; push it again', {
          status: 503,
        });
      });
      const answer = await this.answerTo(accepted, url, arrived);
      seen.outcome = accepted.recorded.repeated ? 'repeated' : answer.outcome;
      return this.bodyOf(answer, accepted, incoming.body);
    } catch (error) {
      if (error instanceof HubError) seen.outcome = error.code;
      throw error;
    } finally {
      const seconds = (performance.now() - arrived) / 1000;
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

  private async accept(incoming: IncomingPush, url: PushUrl, seen: Seen): Promise<AcceptedPush> {
    const component = await this.components.getEnabled(incoming.componentAppId);
    seen.componentAppId = component.appid;
    const query = readPushQuery(incoming.query);
    const verified = this.verifier.verify(component, query, incoming.body);
    const { dedupKey, outcome, forHub, ...content } = await url.read(verified, component);
    seen.infoType = (content.msgType ?? content.infoType).slice(0, LABEL_LENGTH);
    const push: ArrivedPush = {
      ...content,
      id: uuidv7(),
      componentAppId: component.appid,
      createTime: createTimeOf(verified),
      receivedAt: this.clock.now(),
      fields: verified.fields,
      text: verified.text,
      format: verified.format,
      problem: verified.problem,
    };
    const { sourceAddress } = incoming;
    const { keyUsed } = verified;
    const replayKey = replayKeyOf(push, url, query);
    const facts = { sourceAddress, keyUsed, replayKey, dedupKey };
    const recorded = await this.recorder.record({ push, facts, outcome, forHub });
    if (!recorded.repeated) this.evidence.note(component, verified, query);
    return { push, recorded, component, verified, query };
  }

  private answerTo(
    { push, recorded }: AcceptedPush,
    { reply, mayReply }: PushUrl,
    arrived: number,
  ): PushAnswer | Promise<PushAnswer> {
    if (!reply) return { outcome: recorded.outcome };
    if (recorded.repeated) {
      return this.answers.repeat(recorded, mayReply?.(push) ?? false, arrived);
    }
    const findReply = (leftMs: number) => reply(push, leftMs);
    return this.answers.find(push, recorded.outcome, findReply, arrived);
  }

  /** A reply goes out as this push came in: under its Token and key, in JSON where it is JSON. */
  private bodyOf({ outcome, reply }: PushAnswer, accepted: AcceptedPush, body?: Buffer): string {
    if (reply === undefined) return outcome === 'empty' ? '' : 'success';
    const { component, verified, query } = accepted;
    const timestamp = String(Math.floor(this.clock.now() / 1000));
    const { token, key } = verified;
    const stamp = { timestamp, nonce: query.nonce };
    const sender = { token, key, appid: component.appid };
    return isJsonText(body?.toString() ?? '')
      ? this.crypto.replyJson(sender, reply, stamp)
      : this.crypto.reply(sender, reply, stamp);
  }
}

/** CreateTime where it is a time; a handler that needs it checks it. */
function createTimeOf({ fields }: VerifiedPush): number | null {
  const text = firstText(fields, 'CreateTime') ?? '';
  return /^\d{1,12}$/.test(text) ? Number(text) : null;
}

/**
 * `msg_signature` stands for all that was signed. Timestamp and nonce by themselves do not: what is
 * signed is one text, in which the borders between them can be moved. The path, which is not signed
 * at all, keeps a push under a wrong account from counting as the first of the right one.
 */
function replayKeyOf(
  { componentAppId, createTime }: ArrivedPush,
  { authorizerAppId }: PushUrl,
  { msgSignature }: PushQuery,
): string {
  const hash = sha256Hex(JSON.stringify([componentAppId, authorizerAppId, msgSignature]));
  // Keys of about the same time stand together in the index, so a burst writes few of its pages.
  return String(createTime ?? 0).padStart(TIMESTAMP_DIGITS, '0') + hash.slice(TIMESTAMP_DIGITS);
}
