import { Inject, Injectable } from '@nestjs/common';
import type { ArrivedPush } from '../callback/arrived-push.js';
import { Clock } from '../common/clock.js';
import { emitTelemetry } from '../common/telemetry.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { ResponderAnswers } from '../reply/responder-answers.js';
import type { ResponderReply } from '../reply/responder-reply.js';
import type { AttemptCause } from './delivery-attempt.entity.js';
import { DELIVERY_POLICY, parseRetryAfter } from './delivery-policy.js';
import { pushBody } from './push-body.js';
import type { Subscription } from '../subscription/subscription.js';
import { TargetRefusedError } from '../webhook/target-address.js';
import { TargetCallError, TargetClient, type CalledTarget } from '../webhook/target.client.js';
import { signedHeaders } from '../subscription/webhook-signature.js';

/** Length of the columns for errors. */
const ERROR_LENGTH = 255;

/** What is to be sent to whom. */
export interface Sending {
  /** The `webhook-id`: the same at every attempt, so that a receiver can tell a repetition. */
  deliveryId: string;
  push: ArrivedPush;
  subscription: Subscription;
  cause: AttemptCause | 'test';
  signal?: AbortSignal;
}

/** How an attempt went. */
export interface Sent {
  /** When it began, in Unix milliseconds. */
  at: number;
  durationMs: number;
  /** HTTP status; null when no answer came. */
  status: number | null;
  /** What was wrong; null when it was taken. */
  error: string | null;
  taken: boolean;
  /** The target says that it is gone for good (410). */
  gone: boolean;
  /** What the target asked for, in milliseconds. */
  retryAfterMs?: number;
  /** A responder's reply. */
  reply?: ResponderReply;
}

/** Makes one attempt: builds what is sent, signs it, calls the target, and judges the answer. */
@Injectable()
export class DeliverySender {
  constructor(
    private readonly client: TargetClient,
    private readonly answers: ResponderAnswers,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Longest that {@link send} takes, in milliseconds. */
  get timeoutMs(): number {
    return this.config.delivery.timeoutMs;
  }

  /** Never throws: what goes wrong is how it went. */
  async send(sending: Sending): Promise<Sent> {
    const { subscription, cause } = sending;
    const at = this.clock.now();
    const started = performance.now();
    const judged = await this.attempt(sending, at);
    const durationMs = Math.round(performance.now() - started);
    emitTelemetry('delivery.attempt', {
      subscriptionId: subscription.id,
      cause,
      outcome: outcomeOf(judged),
      seconds: durationMs / 1000,
    });
    return { at, durationMs, ...judged };
  }

  private async attempt(sending: Sending, at: number): Promise<Judged> {
    try {
      const answer = await this.call(sending, at);
      return this.judge(sending, answer, at);
    } catch (error) {
      const known = error instanceof TargetCallError || error instanceof TargetRefusedError;
      const why = known ? error.message : 'The push could not be sent';
      return { status: null, error: why.slice(0, ERROR_LENGTH), taken: false, gone: false };
    }
  }

  private call({ deliveryId, push, subscription, signal }: Sending, at: number) {
    const { contentType, body, headers } = pushBody(push, subscription.format);
    return this.client.post({
      url: subscription.url,
      headers: {
        'content-type': contentType,
        ...headers,
        ...signedHeaders(subscription, deliveryId, at, body),
      },
      body,
      timeoutMs: this.timeoutMs,
      readBody: subscription.mode === 'responder',
      signal,
    });
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
    const read = unreadable ? { error: unreadable } : this.answers.read(push, answer.body);
    const { reply, error } = read;
    const taken = error === undefined;
    return { status, error: error?.slice(0, ERROR_LENGTH) ?? null, taken, gone: false, reply };
  }
}

type Judged = Omit<Sent, 'at' | 'durationMs'>;

function refusal(status: number): string {
  const redirect = status >= 300 && status < 400;
  return `The target answered HTTP ${status}${redirect ? '; redirects are not followed' : ''}`;
}

function outcomeOf({ taken, status }: Judged): string {
  if (taken) return 'taken';
  return status === null ? 'unreachable' : 'refused';
}
