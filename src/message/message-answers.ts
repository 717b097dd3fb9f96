import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { ArrivedPush } from '../callback/arrived-push.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { ResponderAnswers, type TargetAnswer } from '../delivery/responder-answers.js';
import { ResponderService } from '../delivery/responder.service.js';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { CustomerMessages } from './customer-messages.js';
import {
  readJsonReply,
  ReplyInvalidError,
  replyXml,
  rewriteXmlReply,
} from './passive-reply-xml.js';
import { replyHead } from './reply-head.js';

/** What the answers of responders mean to WeChat (protocol section G). */
@Injectable()
export class MessageAnswers extends ResponderAnswers implements OnModuleInit {
  constructor(
    private readonly responder: ResponderService,
    private readonly messages: CustomerMessages,
    private readonly clock: Clock,
  ) {
    super();
  }

  onModuleInit(): void {
    this.responder.useAnswers(this);
  }

  /** Told apart by content, as types are often wrong: empty or `success`, JSON, XML. */
  override interpret(push: ArrivedPush, { body }: TargetAnswer): string | undefined {
    const text = body.trim();
    // Where a shop sends JSON there are no passive replies: what it is answered changes nothing.
    if (text === '' || text === 'success' || push.format === 'json') return undefined;
    const head = replyHead(push, this.clock.now());
    if (text.startsWith('{')) return replyXml(head, readJsonReply(text));
    if (/^<(\?xml|xml[\s>])/.test(text)) return rewriteXmlReply(head, text);
    throw new ReplyInvalidError(
      /^<(!doctype|html)/i.test(text) ? 'it is HTML' : 'it is neither JSON nor XML',
    );
  }

  /** Only a text can be sent. @throws {HubError} */
  override async late(push: ArrivedPush, xml: string): Promise<void> {
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
