import { Injectable } from '@nestjs/common';
import { ResponderAnswers } from '../reply/responder-answers.js';
import type { DeliveryJob } from './delivery.job.js';
import { StoredPushReader } from './stored-push.reader.js';
import type { Subscription } from './subscription.js';

const TOO_LATE = 'The answer came too late for WeChat';
const SENT_LATE = `${TOO_LATE}; it was sent as a customer-service message`;

/** Sends the replies that WeChat did not wait for as customer-service messages, where that is set. */
@Injectable()
export class LateReplies {
  constructor(
    private readonly answers: ResponderAnswers,
    private readonly pushes: StoredPushReader,
  ) {}

  /**
   * What is to be put on record of an answer that nobody waits for any more. The user of a push
   * that is replayed, or that has had its reply, is sent nothing, and misses nothing.
   * @param replyXml the reply, if there is one.
   */
  async remarkOn(
    { push, replayed }: DeliveryJob,
    { lateReply }: Subscription,
    replyXml?: string,
  ): Promise<string | undefined> {
    if (replyXml === undefined) return TOO_LATE;
    if (replayed || (await this.pushes.hasReply(push.id))) return undefined;
    if (!lateReply) return TOO_LATE;
    return (await this.answers.sendLate(push, replyXml)) ?? SENT_LATE;
  }
}
