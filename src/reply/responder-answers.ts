import { Injectable } from '@nestjs/common';
import type { ArrivedPush } from '../callback/arrived-push.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { CustomerMessages } from './customer-messages.js';
import {
  readJsonReply,
  ReplyInvalidError,
  replyXml,
  rewriteXmlReply,
} from './passive-reply-xml.js';
import { replyHead } from './reply-head.js';

/** What a responder's answer comes to. */
export interface ReadAnswer {
  /** The passive reply (被动回复); undefined for an empty answer, which is `success`. */
  replyXml?: string;
  /** What is wrong with it; nothing of what it holds. */
  error?: string;
}

/** What the answers of responders mean to WeChat (protocol section G). */
@Injectable()
export class ResponderAnswers {
  constructor(
    private readonly messages: CustomerMessages,
    private readonly clock: Clock,
  ) {}

  /** Reads the body of an answer of 2xx. */
  read(push: ArrivedPush, body: string): ReadAnswer {
    try {
      return { replyXml: this.interpret(push, body.trim()) };
    } catch (error) {
      return { error: error instanceof HubError ? error.message : 'The answer is not usable' };
    }
  }

  /**
   * Sends a reply that came too late for WeChat as a customer-service message; only a text can be.
   * @returns what kept it from being sent; undefined when it was.
   */
  async sendLate(push: ArrivedPush, xml: string): Promise<string | undefined> {
    try {
      await this.sendText(push, xml);
      return undefined;
    } catch (error) {
      const why = error instanceof HubError ? error.message : 'it failed';
      return `The late reply could not be sent as a customer-service message: ${why}`;
    }
  }

  /** Told apart by content, as types are often wrong: empty or `success`, JSON, XML. */
  private interpret(push: ArrivedPush, text: string): string | undefined {
    // Where a shop sends JSON there are no passive replies: what it is answered changes nothing.
    if (text === '' || text === 'success' || push.format === 'json') return undefined;
    const head = replyHead(push, this.clock.now());
    if (text.startsWith('{')) return replyXml(head, readJsonReply(text));
    if (/^<(\?xml|xml[\s>])/.test(text)) return rewriteXmlReply(head, text);
    throw new ReplyInvalidError(
      /^<(!doctype|html)/i.test(text) ? 'it is HTML' : 'it is neither JSON nor XML',
    );
  }

  private async sendText(push: ArrivedPush, xml: string): Promise<void> {
    const { MsgType: type, Content: content } = parseWechatXml(xml);
    const { componentAppId, authorizerAppId, fromUser } = push;
    if (type !== 'text' || typeof content !== 'string' || !authorizerAppId || !fromUser) {
      throw new HubError('late_reply_unsupported', 'Too late, and only a text can be sent then', {
        status: 409,
      });
    }
    await this.messages.sendText({ componentAppId, authorizerAppId }, fromUser, content);
  }
}
