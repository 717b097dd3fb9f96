import { Injectable, Logger } from '@nestjs/common';
import { EventReplies } from '../callback/event-replies.js';
import { ResponderAnswers, type SentText } from '../reply/responder-answers.js';
import type { ResponderReply } from '../reply/responder-reply.js';
import type { DeliveryJob } from './delivery.job.js';
import { StoredPushReader } from './stored-push.reader.js';
import type { Subscription } from '../subscription/subscription.js';

const TOO_LATE = 'The answer came too late for WeChat';
const KEPT = `${TOO_LATE}; the push gets it when it comes again`;

/** What becomes of replies that WeChat did not wait for. */
@Injectable()
export class LateReplies {
  private readonly logger = new Logger(LateReplies.name);

  constructor(
    private readonly answers: ResponderAnswers,
    private readonly pushes: StoredPushReader,
    private readonly replies: EventReplies,
  ) {}

  /**
   * What is to be put on record of an answer that nobody waits for any more. A text is sent as a
   * customer-service message where that is set; the user of a push that is replayed, or that has had
   * its reply, is sent nothing, and misses nothing. A result is stored: WeChat pushes again what it
   * has no result for.
   * @param reply undefined where there is none.
   */
  async remarkOn(
    { push, replayed }: DeliveryJob,
    { lateReply }: Subscription,
    reply?: ResponderReply,
  ): Promise<string | undefined> {
    if (reply === undefined) return TOO_LATE;
    if (await this.pushes.hasReply(push.id)) return undefined;
    if (reply.kind === 'result') return this.store(push.id, reply.text);
    if (replayed) return undefined;
    if (!lateReply) return TOO_LATE;
    const { content } = reply;
    if (content !== undefined) return howItWent(await this.answers.sendText(push, content));
    return notSent('only a text can be sent then');
  }

  private async store(id: string, text: string): Promise<string> {
    try {
      await this.replies.store(id, text);
      return KEPT;
    } catch (error) {
      this.logger.warn('A late result was not stored', error);
      return TOO_LATE;
    }
  }
}

function howItWent({ sent, parts, error }: SentText): string {
  if (sent === 0) return notSent(error ?? 'it failed');
  const how = parts === 1 ? 'a customer-service message' : `${parts} customer-service messages`;
  if (sent === parts) return `${TOO_LATE}; it was sent as ${how}`;
  return `${TOO_LATE}; ${sent} of ${how} were sent: ${error ?? 'WeChat allows no more'}`;
}

function notSent(why: string): string {
  return `The late reply could not be sent as a customer-service message: ${why}`;
}
