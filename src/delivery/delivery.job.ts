import type { Push } from '../callback/push.js';
import type { ResponderReply } from '../reply/responder-reply.js';
import type { Subscription } from '../subscription/subscription.js';
import type { AttemptCause } from './delivery-attempt.entity.js';

/** A delivery that this process has leased, and what it delivers. */
export interface DeliveryJob {
  /** The `webhook-id` too: the same at every attempt, so that a receiver can tell a repetition. */
  deliveryId: string;
  subscriptionId: string;
  orderKey: string | null;
  /** Attempts that were made before. */
  attempts: number;
  /** Begun by a replay: the user was answered long ago, or never. */
  replayed?: boolean;
  /** When its push, or a replay, has begun it, in Unix milliseconds. */
  begunAt: number;
  /** End of the lease, in Unix milliseconds: from then on others may take it. */
  leaseUntil: number;
  push: Push;
}

/** What is to be sent to whom. */
export interface Sending extends Pick<DeliveryJob, 'deliveryId' | 'push'> {
  subscription: Subscription;
  cause: AttemptCause | 'test';
  signal?: AbortSignal;
}

/** A call as it went out, and the headers that came back. */
export interface Exchange {
  request: { url: string; headers: Record<string, string>; body: string };
  answerHeaders?: Record<string, string>;
}

/** One call of a target, and how it went. */
export interface Attempt {
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
  /** The beginning of the answer, where it was kept: of one that did not take it, or was asked for. */
  answer?: string;
  /** What was sent and answered, of a test. */
  exchange?: Exchange;
  /** A responder's reply. */
  reply?: ResponderReply;
}
