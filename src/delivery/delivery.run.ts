import { Injectable } from '@nestjs/common';
import type { AttemptCause } from './delivery-attempt.entity.js';
import { DeliveryAttempts } from './delivery.attempts.js';
import type { DeliveryJob } from './delivery.job.js';
import { DeliverySender } from './delivery.sender.js';
import { LateReplies } from './late-replies.js';
import { LongTexts } from './long-texts.js';
import type { Subscription } from '../subscription/subscription.js';

/** Who has a delivery attempted, and why. */
export interface RunCause {
  cause: AttemptCause;
  /** Cuts the call. */
  signal: AbortSignal;
  /** Told of the reply as soon as it is there; whether anybody has waited for it that long. */
  answered?: (reply?: string) => boolean;
  /** Resolves when the reply has been handed to WeChat. */
  answerLeft?: Promise<void>;
}

/** One attempt of a delivery that this process has leased, from the call to its record. */
@Injectable()
export class DeliveryRun {
  constructor(
    private readonly sender: DeliverySender,
    private readonly attempts: DeliveryAttempts,
    private readonly lateReplies: LateReplies,
    private readonly longTexts: LongTexts,
  ) {}

  /** @returns whether the delivery has ended. */
  async make(
    job: DeliveryJob,
    subscription: Subscription,
    { cause, signal, answered, answerLeft }: RunCause,
  ): Promise<boolean> {
    const { deliveryId, push } = job;
    const sent = await this.sender.send({ deliveryId, push, subscription, cause, signal });
    const { reply } = sent;
    const inTime = answered?.(reply?.text);
    if (signal.aborted && !sent.taken) {
      await this.attempts.giveBack(job);
      return false;
    }
    // The schedule's calls are nobody's to wait for: without a reply none of them is late.
    const late = inTime === false || (inTime === undefined && reply !== undefined);
    if (late) {
      const remark = await this.lateReplies.remarkOn(job, subscription, reply);
      return this.attempts.made(job, sent, cause, remark);
    }
    // Users read in order: what the reply has no room for comes behind it.
    if (reply?.rest !== undefined) await answerLeft;
    const remark = await this.longTexts.remarkOn(push, subscription, reply);
    return this.attempts.made(job, sent, cause, remark);
  }
}
