import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Secret } from '../common/secret.js';
import { WechatApiClient } from './wechat-api.client.js';

const acknowledgement = z.object({});

/** Customer-service messages (客服消息): what an account tells a user outside of a passive reply. */
@Injectable()
export class CustomerMessageApi {
  constructor(private readonly client: WechatApiClient) {}

  /**
   * Sends a text with the account's token. @throws {WechatApiError}
   * @param toUser the user's openid.
   */
  async sendText(token: Secret, toUser: string, content: string): Promise<void> {
    const body = { touser: toUser, msgtype: 'text', text: { content } };
    const query = { access_token: token };
    await this.client.post('/cgi-bin/message/custom/send', body, acknowledgement, query);
  }
}
