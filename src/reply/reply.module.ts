import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CustomerMessageApi } from '../wechat-api/customer-message-api.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { CustomerMessages } from './customer-messages.js';
import { ResponderAnswers } from './responder-answers.js';

/** Replies to users: passive ones (被动回复), and customer-service messages (客服消息). */
@Module({
  imports: [AuthorizerModule, WechatApiModule],
  providers: [CustomerMessageApi, CustomerMessages, ResponderAnswers],
  exports: [CustomerMessages, ResponderAnswers],
})
export class ReplyModule {}
