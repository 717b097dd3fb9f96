import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Push, PushKind } from '../callback/push.js';
import { PushStore } from '../callback/push.store.js';
import { Clock } from '../common/clock.js';
import { endOfTurn } from '../common/end-of-turn.js';
import { remark, type Remark } from '../common/remarks.js';
import { emitTelemetry } from '../common/telemetry.js';
import { millisecondsSince } from '../common/times.js';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { MAX_TEXT_BYTES } from '../reply/passive-reply.js';
import { ResponderAnswers, type SentText } from '../reply/responder-answers.js';
import type { ResponderReply } from '../reply/responder-reply.js';
import type { Subscription } from '../subscription/subscription.js';
import { signedHeaders } from '../subscription/webhook-signature.js';
import { TargetRefusedError } from '../webhook/target-address.js';
import {
  TargetCallError,
  TargetClient,
  type CalledTarget,
  type TargetCall,
} from '../webhook/target.client.js';
import type { AttemptCause } from './delivery-attempt.entity.js';
import type { Attempt, DeliveryJob, Exchange, Sending } from './delivery.job.js';
import { DELIVERY_POLICY, extraDelayMs, parseRetryAfter, retryDelayMs } from './delivery-policy.js';
import { attemptFacts, DeliveryResults, type Outcome } from './delivery.results.js';
import { pushBody } from './push-body.js';
import { samplePush } from './sample-push.js';
import { SubscriptionHealth } from './subscription-health.js';
import { WechatFormat } from './wechat-format.js';

/** What WeChat needs to show a reply before it gets the next message, in milliseconds. */
const BEHIND_REPLY_MS = 300;
const TOO_LATE = remark('reply_late');
const LIMIT = { limit: MAX_TEXT_BYTES };

/** Who has a delivery attempted, and why. */
export interface RunCause {
  cause: AttemptCause;
  /** Cuts the call. */
  signal: AbortSignal;
  /** Told when nobody is called any more: what is left to do is to store the result. */
  called?: () => void;
  /** Takes the reply as soon as it is there; answers whether anybody has waited for it that long. */
  answered?: (reply?: string) => boolean;
  /** Resolves when the reply is stored, or could not be, and has been handed to WeChat. */
  answerLeft?: Promise<void>;
}

/** What a delivery has behind it. */
type Before = Pick<DeliveryJob, 'attempts' | 'begunAt'>;
/** An attempt but for its times. */
type Judged = Omit<Attempt, 'at' | 'durationMs'>;
/** How the call went. */
interface Called {
  called?: CalledTarget;
  durationMs: number;
  request?: Exchange['request'] | undefined;
}

/**
 * One attempt of a delivery, from the push to its record:
 *
 * ```
 * build ─▶ sign ─▶ call ─▶ judge ─▶ reply late, or too long? ─▶ decide ─▶ record
 * ```
 */
@Injectable()
export class AttemptService {
  private readonly logger = new Logger(AttemptService.name);

  constructor(
    private readonly client: TargetClient,
    private readonly answers: ResponderAnswers,
    private readonly pushes: PushStore,
    private readonly results: DeliveryResults,
    private readonly health: SubscriptionHealth,
    private readonly wechat: WechatFormat,
    private readonly clock: Clock,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Longest that {@link send} takes, in milliseconds. */
  get timeoutMs(): number {
    return this.config.delivery.timeoutMs;
  }

  /**
   * Attempts a delivery that this process has leased, and records how it went.
   * @returns whether the delivery has ended.
   */
  async make(
    job: DeliveryJob,
    subscription: Subscription,
    { cause, signal, called, answered, answerLeft }: RunCause,
  ): Promise<boolean> {
    const { deliveryId, push } = job;
    const sent = await this.send({ deliveryId, push, subscription, cause, signal });
    const { reply } = sent;
    const inTime = answered?.(reply?.text);
    if (signal.aborted && !sent.taken) {
      called?.();
      await this.giveBack(job);
      return false;
    }
    // The schedule's calls are nobody's to wait for: without a reply none of them is late.
    const late = inTime === false || (inTime === undefined && reply !== undefined);
    // Users read in order: what the reply has no room for comes behind it. So does the attempt's record:
    // other hosts take one without a stored reply for the end of the wait.
    if (!late && reply !== undefined) await answerLeft;
    const said = late
      ? await this.sendLate(job, subscription, reply)
      : await this.sendRest(push, subscription, reply);
    called?.();
    return this.record(job, sent, cause, said);
  }

  /** Builds, signs, calls and judges; records nothing. Never throws: what goes wrong is how it went. */
  async send(sending: Sending): Promise<Attempt> {
    const at = this.clock.now();
    const { called, request, durationMs, ...judged } = await this.judged(sending, at);
    emitTelemetry('delivery.attempt', {
      componentAppId: sending.push.componentAppId,
      subscriptionId: sending.subscription.id,
      cause: sending.cause,
      outcome: outcomeOf(judged),
      seconds: durationMs / 1000,
    });
    const answer = isAskedFor(sending.cause) || !judged.taken ? await called?.beginning : undefined;
    const attempt = { at, durationMs, ...judged, ...(answer ? { answer } : {}) };
    if (sending.cause !== 'test' || !request) return attempt;
    const answerHeaders = called && flat(called.headers);
    return { ...attempt, exchange: { request, ...(answerHeaders && { answerHeaders }) } };
  }

  /** Sends a push such as WeChat sends to a subscription now, for trying it out; stores nothing. */
  sendSample(subscription: Subscription, kind?: PushKind): Promise<Attempt> {
    const wanted = kind ?? subscription.kinds?.[0] ?? 'message';
    const push = samplePush(wanted, subscription, this.clock.now());
    return this.send({ deliveryId: `test_${push.id}`, push, subscription, cause: 'test' });
  }

  private async judged(sending: Sending, at: number): Promise<Judged & Called> {
    const started = performance.now();
    let request: Exchange['request'] | undefined;
    try {
      request = this.build(sending, at);
      // Attempts that begin at once are all built before the first is called: for why, see `endOfTurn`.
      await undefined;
      const called = await this.call(request, sending);
      const durationMs = millisecondsSince(started);
      await endOfTurn();
      return { ...this.judge(sending, called, at), called, request, durationMs };
    } catch (error) {
      const known = error instanceof TargetCallError || error instanceof TargetRefusedError;
      const why = known ? error.message : remark('push_not_sent');
      const durationMs = millisecondsSince(started);
      return { status: null, error: why, taken: false, gone: false, request, durationMs };
    }
  }

  private call(
    request: Exchange['request'],
    { subscription, cause, signal }: Sending,
  ): Promise<CalledTarget> {
    const isResponder = subscription.mode === 'responder';
    return this.client.post({
      ...request,
      timeoutMs: this.timeoutMs,
      readBody: isResponder,
      // A responder's whole answer is read: it may turn out to be none.
      keepBeginning: isResponder || isAskedFor(cause),
      signal,
    });
  }

  private build(
    { deliveryId, push, subscription }: Sending,
    at: number,
  ): Pick<TargetCall, 'url' | 'headers' | 'body'> {
    const { format, url } = subscription;
    if (format === 'wechat') {
      const post = this.wechat.post(push, subscription, at);
      return { ...post, headers: { ...post.headers, 'webhook-id': deliveryId } };
    }
    const { contentType, body, headers } = pushBody(push, format);
    const signed = signedHeaders(subscription, deliveryId, at, body);
    return { url, headers: { 'content-type': contentType, ...headers, ...signed }, body };
  }

  private judge({ push, subscription }: Sending, answer: CalledTarget, at: number): Judged {
    const { status, retryAfter } = answer;
    if (status < 200 || status > 299) {
      const heeded = (DELIVERY_POLICY.retryAfterStatuses as readonly number[]).includes(status);
      const retryAfterMs = heeded ? parseRetryAfter(retryAfter, at) : undefined;
      return { status, error: refusal(status), taken: false, gone: status === 410, retryAfterMs };
    }
    if (subscription.mode !== 'responder') return { status, error: null, taken: true, gone: false };
    const { unreadable } = answer;
    const read = unreadable
      ? { error: unreadable }
      : this.answers.read(push, () => this.replyIn(answer.body, push, subscription));
    const { reply, error } = read;
    return { status, error: error ?? null, taken: error === undefined, gone: false, reply };
  }

  private replyIn(answer: string, push: Push, subscription: Subscription): string {
    return subscription.format === 'wechat'
      ? this.wechat.reply(answer, push, subscription)
      : answer;
  }

  /**
   * What becomes of an answer that is no longer waited for. A text is sent as a customer-service
   * message where that is set; the user of a push that is replayed, or that has had its reply, is
   * sent nothing, and misses nothing. A result is stored: WeChat pushes again what it has no result
   * for.
   * @param reply undefined where there is none.
   * @returns what the record says of it.
   */
  private async sendLate(
    { push, replayed }: DeliveryJob,
    { lateReply }: Subscription,
    reply?: ResponderReply,
  ): Promise<string | undefined> {
    if (reply === undefined) return TOO_LATE;
    if (await this.pushes.hasReply(push.id)) return undefined;
    if (reply.kind === 'result') return this.keepResult(push.id, reply.text);
    if (replayed) return undefined;
    if (!lateReply) return TOO_LATE;
    const { content } = reply;
    if (content === undefined) return lateNotSent(remark('message_text_only'));
    return howLateWent(await this.answers.sendText(push, content));
  }

  private async keepResult(pushId: string, text: string): Promise<string> {
    try {
      await this.pushes.keepReply(pushId, text);
      return remark('reply_late_kept');
    } catch (error) {
      this.logger.warn('A late result was not stored', error);
      return TOO_LATE;
    }
  }

  /**
   * Sends what a passive reply has no room for as customer-service messages, where that is set, once
   * the reply is on its way.
   * @returns what the record says of it; undefined where the reply was all.
   */
  private async sendRest(
    push: Push,
    { splitText }: Subscription,
    reply?: ResponderReply,
  ): Promise<string | undefined> {
    const { rest } = reply ?? {};
    if (rest === undefined) return undefined;
    if (!splitText) {
      return remark('reply_cut', { ...LIMIT, count: Buffer.byteLength(rest) });
    }
    await delay(BEHIND_REPLY_MS);
    return howRestWent(await this.answers.sendText(push, rest));
  }

  /**
   * Decides how the delivery goes on, and records that and the attempt.
   * @param said what is to be said although the delivery was taken.
   * @returns whether the delivery has ended.
   */
  private async record(
    job: DeliveryJob,
    sent: Attempt,
    cause: AttemptCause,
    said?: string,
  ): Promise<boolean> {
    const { deliveryId, subscriptionId } = job;
    const outcome: Outcome = sent.taken
      ? { status: 'delivered', at: this.clock.now() }
      : this.afterFailure(job, sent.retryAfterMs);
    const error = sent.error ?? said ?? null;
    const attempt = attemptFacts(sent, cause, error);
    await this.results.save({ deliveryId, outcome, attempt });
    if (outcome.status === 'dead') {
      const facts = { deliveryId, subscriptionId };
      this.logger.warn('A delivery was given up after its last attempt', facts);
      emitTelemetry('delivery.dead', { subscriptionId });
    }
    await this.health.note(subscriptionId, sent);
    return outcome.status !== 'pending';
  }

  /** Attempts that a clock which jumps has drawn together do not end a delivery before its time. */
  private afterFailure({ attempts, begunAt }: Before, retryAfterMs?: number): Outcome {
    const now = this.clock.now();
    const wait = retryDelayMs(attempts + 1, Math.random(), retryAfterMs);
    const mayEnd = this.time.now() - begunAt >= DELIVERY_POLICY.giveUpAfter;
    if (wait === undefined && mayEnd) return { status: 'dead', at: now };
    return { status: 'pending', nextAttemptAt: now + (wait ?? extraDelayMs(Math.random())) };
  }

  /**
   * The push can't be read: tried again like a failed attempt, a key may come back.
   * @returns whether the delivery has ended.
   */
  async unreadable(deliveryId: string, before: Before): Promise<boolean> {
    const error = remark('push_undecryptable');
    const at = this.clock.now();
    const attempt = { at, durationMs: 0, cause: 'schedule', status: null, error } as const;
    const outcome = this.afterFailure(before);
    await this.results.save({ deliveryId, outcome, attempt });
    return outcome.status !== 'pending';
  }

  /** No attempt was made: the next process with room claims it, at once. */
  async giveBack({ deliveryId }: DeliveryJob): Promise<void> {
    const outcome: Outcome = { status: 'pending', nextAttemptAt: this.clock.now() };
    await this.results.save({ deliveryId, outcome });
  }

  /** There is nothing to deliver, or nobody to deliver it to. */
  async cancel(deliveryId: string, lastError: Remark): Promise<void> {
    const outcome: Outcome = { status: 'cancelled', at: this.clock.now() };
    await this.results.save({ deliveryId, outcome, lastError });
  }
}

function flat(headers: CalledTarget['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}

/** By a person, who waits for it. */
function isAskedFor(cause: Sending['cause']): boolean {
  return cause === 'manual' || cause === 'test';
}

function refusal(status: number): Remark {
  const isRedirect = status >= 300 && status < 400;
  return remark(isRedirect ? 'target_redirected' : 'target_answered', { status });
}

function outcomeOf({ taken, status }: Judged): string {
  if (taken) return 'taken';
  return status === null ? 'unreachable' : 'refused';
}

function howLateWent({ sent, parts, error }: SentText): Remark {
  if (sent === 0) return lateNotSent(error ?? remark('failed'));
  if (sent === parts) {
    return parts === 1 ? remark('reply_late_sent') : remark('reply_late_sent_parts', { parts });
  }
  return remark('reply_late_sent_some', { sent, parts, why: error ?? remark('message_no_more') });
}

function lateNotSent(why: string): Remark {
  return remark('reply_late_not_sent', { why });
}

function howRestWent({ sent, parts, error }: SentText): Remark {
  if (sent === parts) {
    return parts === 1
      ? remark('reply_rest_sent', LIMIT)
      : remark('reply_rest_sent_parts', { ...LIMIT, parts });
  }
  const why = error ?? remark('message_no_more');
  return sent === 0
    ? remark('reply_rest_not_sent', { ...LIMIT, why })
    : remark('reply_rest_sent_some', { ...LIMIT, sent, parts, why });
}
