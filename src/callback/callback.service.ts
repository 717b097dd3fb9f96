import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { emitTelemetry } from '../common/telemetry.js';
import { within } from '../common/time-limit.js';
import { unixSeconds } from '../common/times.js';
import { NO_ADDRESS } from '../common/source-address.js';
import { TrustedTime } from '../common/trusted-time.js';
import { ComponentService } from '../component/component.service.js';
import { firstText } from '../wechat-crypto/push-text.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import type { Push } from './push.js';
import { readPushQuery, readUrlCheckQuery } from './callback-query.js';
import { isOwnNonce } from './own-push.js';
import { PushAnswers, type PushAnswer } from './push-answers.js';
import { leftOf, PUSH_BUDGET } from './push-budget.js';
import { PushRecorder } from './push.recorder.js';
import type { RecordedPush } from './push.store.js';
import type { PushUrl } from './push-url.js';
import { PushVerifier, type VerifiedPush } from './push-verifier.js';

/** Longest name of a push that the metrics show. */
const LABEL_LENGTH = 64;

/** A push as it came in, not verified yet. */
export interface PushRequest {
  componentAppId: string;
  query: Record<string, unknown>;
  body: Buffer | undefined;
  /** Undefined where its sender has gone before anybody asked. */
  sourceAddress: string | undefined;
  /** Milliseconds since its first byte, from which WeChat counts. */
  elapsedMs: number;
}

/** What is known of a push for the metrics: nothing that an unverified sender could choose. */
interface Seen {
  componentAppId: string;
  infoType: string;
  outcome: string;
}

/**
 * Pushes to either URL: verify, decrypt, record, answer.
 *
 * ```
 * PushRequest ─ PushVerifier ─▶ VerifiedPush ─ PushUrl.read ─▶ Push ─ PushRecorder ─▶ RecordedPush
 *                                                                │ new: PushUrl.reply, in time
 *                                             PushAnswer ◀───────┴ repeated: what the first one got
 * ```
 */
@Injectable()
export class CallbackService {
  constructor(
    private readonly components: ComponentService,
    private readonly verifier: PushVerifier,
    private readonly recorder: PushRecorder,
    private readonly answers: PushAnswers,
    private readonly crypto: WechatCryptoService,
    private readonly time: TrustedTime,
    private readonly clock: Clock,
  ) {}

  /** The answer for WeChat, once the push is durable. */
  async receive(request: PushRequest, url: PushUrl): Promise<string> {
    const arrived = performance.now() - request.elapsedMs;
    const seen: Seen = { componentAppId: 'unknown', infoType: 'unverified', outcome: 'failed' };
    try {
      const limit = leftOf(PUSH_BUDGET.recordedBy, arrived);
      const accepted = await within(limit, this.accept(request, url, seen), () => {
        throw new HubError('too_slow', 'The push could not be stored in time; push it again', {
          status: 503,
        });
      });
      const { verified, push, recorded } = accepted;
      const answer = await this.answerTo(push, recorded, url, arrived);
      seen.outcome = recorded.repeated ? 'repeated' : answer.outcome;
      return this.bodyOf(answer, verified);
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
    const token = this.verifier.verifyUrlCheck(component, check);
    // The first sign of a platform that is being set up. Later ones say less than pushes do.
    const isFirst = component.token.lastUsedAt === null && !isOwnNonce(token.reveal(), check.nonce);
    if (isFirst) this.components.noteUse(component.appid, { token });
    return check.echostr;
  }

  private async accept(
    { componentAppId, query, body, sourceAddress = NO_ADDRESS }: PushRequest,
    url: PushUrl,
    seen: Seen,
  ): Promise<{ verified: VerifiedPush; push: Push; recorded: RecordedPush }> {
    const component = await this.components.getEnabled(componentAppId);
    seen.componentAppId = component.appid;
    const verified = this.verifier.verify(component, readPushQuery(query), body);
    const content = await url.read(verified);
    seen.infoType = (content.msgType ?? content.infoType).slice(0, LABEL_LENGTH);
    const { fields, text, format, problem, keyUsed } = verified;
    // Written out, as every push comes by: copies of whole objects are among its dearest lines.
    const push: Push = {
      id: uuidv7(),
      kind: content.kind,
      authorizerAppId: content.authorizerAppId,
      infoType: content.infoType,
      msgType: content.msgType,
      event: content.event,
      fromUser: content.fromUser,
      componentAppId: component.appid,
      // A handler that needs one checks it.
      createTime: unixSeconds(firstText(fields, 'CreateTime')) ?? null,
      receivedAt: this.clock.now(),
      fields,
      text,
      format,
      problem,
    };
    const { dedupKey, outcome, forHub } = content;
    const facts = { push, sourceAddress, keyUsed, dedupKey, outcome, forHub };
    const recorded = await this.recorder.record(facts);
    if (!recorded.repeated) this.noteEvidence(verified);
    return { verified, push, recorded };
  }

  /** What a push shows beside what it says: the time, and what WeChat still uses. */
  private noteEvidence({ component, query, token, encodingAesKey }: VerifiedPush): void {
    if (isOwnNonce(token.reveal(), query.nonce)) return;
    this.time.witness(Number(query.timestamp) * 1000);
    this.components.noteUse(component.appid, { token, encodingAesKey });
  }

  private answerTo(
    push: Push,
    recorded: RecordedPush,
    { replies }: PushUrl,
    arrived: number,
  ): PushAnswer | Promise<PushAnswer> {
    if (!replies) return { outcome: recorded.outcome };
    if (recorded.repeated) {
      const isAwaited = (): Promise<boolean> => replies.isAwaited(push, recorded.id);
      return this.answers.repeat(recorded, isAwaited, arrived);
    }
    const finding = replies.find(push, leftOf(PUSH_BUDGET.replyFoundBy, arrived));
    if (!finding) return { outcome: recorded.outcome };
    return this.answers.inTime(push.id, recorded.outcome, finding, arrived);
  }

  /** A reply goes out as this push came in: under its Token and key, in JSON where it is JSON. */
  private bodyOf({ outcome, reply }: PushAnswer, verified: VerifiedPush): string {
    if (reply === undefined) return outcome === 'empty' ? '' : 'success';
    const { component, token, encodingAesKey, query, outerFormat } = verified;
    const timestamp = String(Math.floor(this.clock.now() / 1000));
    const stamp = { timestamp, nonce: query.nonce };
    const key = this.crypto.decodeKey(encodingAesKey.reveal());
    const sender = { token: token.reveal(), key, appid: component.appid };
    return outerFormat === 'json'
      ? this.crypto.replyJson(sender, reply, stamp)
      : this.crypto.reply(sender, reply, stamp);
  }
}
