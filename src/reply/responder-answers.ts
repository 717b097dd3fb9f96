import { Injectable } from '@nestjs/common';
import type { Push } from '../callback/push.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { CustomerMessages } from './customer-messages.js';
import { MAX_TEXT_BYTES } from './passive-reply.js';
import { replyHead } from './reply-head.js';
import { responderReply, type ResponderReply } from './responder-reply.js';
import { textParts } from './text-parts.js';
import { remark } from '../common/remarks.js';

/** Customer-service messages that WeChat allows after a user's message (客服消息, 48 h). */
const MAX_MESSAGES = 5;
/** None is begun later than this after the first, in milliseconds: the delivery's lease goes on. */
const BEGIN_WITHIN_MS = 8000;

/** What a responder's answer comes to. */
export interface ReadAnswer {
  /** Undefined for an empty answer, which is `success`. */
  reply?: ResponderReply;
  /** What is wrong with it; nothing of what it holds. */
  error?: string;
}

/** How a text went that was sent in parts. */
export interface SentText {
  /** Customer-service messages that WeChat has taken, and how many the text would be. */
  sent: number;
  parts: number;
  /** What kept the next one from being sent. */
  error?: string;
}

/** What the answers of responders mean to WeChat. */
@Injectable()
export class ResponderAnswers {
  constructor(
    private readonly messages: CustomerMessages,
    private readonly clock: Clock,
  ) {}

  /**
   * Reads an answer of 2xx.
   * @param body gives what it says; may throw a {@link HubError}, as for one that does not decrypt.
   */
  read(push: Push, body: () => string): ReadAnswer {
    try {
      const text = body().trim();
      if (text === '' || text === 'success') return {};
      const { format, kind, msgType } = push;
      const fromUser = kind === 'message' && Boolean(msgType);
      const head = () => replyHead(push, this.clock.now());
      return { reply: responderReply(text, { format, fromUser, head }) };
    } catch (error) {
      return { error: error instanceof HubError ? error.message : remark('reply_unusable') };
    }
  }

  /**
   * Sends a text as customer-service messages, one after the other, each as long as WeChat takes it,
   * until all are sent or one is not. Never rejects.
   */
  async sendText(push: Push, text: string): Promise<SentText> {
    const all = textParts(text, MAX_TEXT_BYTES);
    const until = performance.now() + BEGIN_WITHIN_MS;
    let sent = 0;
    try {
      for (const part of all.slice(0, MAX_MESSAGES)) {
        if (performance.now() > until) throw tooSlow();
        await this.sendPart(push, part);
        sent += 1;
      }
      return { sent, parts: all.length };
    } catch (error) {
      const why = error instanceof HubError ? error.message : remark('failed');
      return { sent, parts: all.length, error: why };
    }
  }

  private async sendPart(push: Push, part: string): Promise<void> {
    const { componentAppId, authorizerAppId, fromUser } = push;
    if (!authorizerAppId || !fromUser) {
      throw new HubError('user_unknown', remark('message_user_unknown'), { status: 409 });
    }
    await this.messages.sendText({ componentAppId, authorizerAppId }, fromUser, part);
  }
}

function tooSlow(): HubError {
  return new HubError('too_slow', remark('message_too_slow'), { status: 503 });
}
