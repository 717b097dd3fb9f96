import { Injectable } from '@nestjs/common';
import type { Push } from '../callback/push.js';
import { CallbackService, type PushRequest } from '../callback/callback.service.js';
import { Clock } from '../common/clock.js';
import { ResponderService } from '../delivery/responder.service.js';
import { checkAuthorizerAppId, MessageReader } from './message.reader.js';
import { releaseCheckAnswer, type ReleaseCheckAnswer } from '../release-check/release-check.js';
import { ReleaseCheckService } from '../release-check/release-check.service.js';
import { replyHead } from '../reply/reply-head.js';
import { messageText } from '../reply/responder-reply.js';

/** Messages and events of the accounts (消息与事件接收URL): received, and answered in time. */
@Injectable()
export class MessageService {
  constructor(
    private readonly callback: CallbackService,
    private readonly reader: MessageReader,
    private readonly responder: ResponderService,
    private readonly releaseCheck: ReleaseCheckService,
    private readonly clock: Clock,
  ) {}

  /** The answer for WeChat, once the push is durable: `success`, nothing, or an encrypted reply. */
  async receive(request: PushRequest, authorizerAppId: string): Promise<string> {
    checkAuthorizerAppId(authorizerAppId);
    let asked: string | undefined;
    try {
      return await this.callback.receive(request, {
        authorizerAppId,
        read: (verified) => this.reader.read(verified, authorizerAppId),
        replies: {
          find: (push, leftMs) => {
            asked = push.id;
            return this.reply(push, leftMs);
          },
          isAwaited: (push, firstId) => this.isReplyAwaited(push, firstId),
        },
      });
    } finally {
      if (asked !== undefined) this.responder.answerLeaves(asked);
    }
  }

  /** The answer to the GET by which WeChat's console checks a URL. */
  checkUrl(componentAppId: string, query: Record<string, unknown>): Promise<string> {
    return this.callback.checkUrl(componentAppId, query);
  }

  private reply(push: Push, leftMs: number): Promise<string | undefined> | undefined {
    const check = releaseCheckAnswer(push);
    return check ? this.answerCheck(push, check) : this.responder.respond(push, leftMs);
  }

  private async isReplyAwaited(push: Push, firstId: string): Promise<boolean> {
    const check = releaseCheckAnswer(push);
    return check ? check.kind === 'text' : this.responder.isReplyAwaited(firstId);
  }

  private async answerCheck(push: Push, check: ReleaseCheckAnswer): Promise<string | undefined> {
    if (check.kind === 'code') this.releaseCheck.begin(push, check.code);
    if (check.kind !== 'text') return undefined;
    const head = replyHead(push, this.clock.now());
    return messageText(push.format, head, { MsgType: 'text', Content: check.content });
  }
}
