import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { ComponentModule } from '../component/component.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { ReplyModule } from '../reply/reply.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { WechatCryptoModule } from '../wechat-crypto/wechat-crypto.module.js';
import { AccountNames } from './account-names.js';
import { EventContents } from './event-store.contents.js';
import { EventStoreController } from './event-store.controller.js';
import { EventStoreKeeper } from './event-store.keeper.js';
import { EventStore } from './event-store.js';
import { MessageController } from './message.controller.js';
import { MessageReader } from './message-reader.js';
import { MessageService } from './message.service.js';
import { ReleaseCheckController } from './release-check.controller.js';
import { ReleaseCheckService } from './release-check.service.js';
import { ReleaseSelfCheck } from './release-self-check.js';
import { SelfPush } from './self-push.js';

/** Messages and events of the accounts: received, answered in time, looked up; release check. */
@Module({
  imports: [
    AuthorizerModule,
    CallbackModule,
    ComponentModule,
    DeliveryModule,
    ReplyModule,
    TicketModule,
    WechatApiModule,
    WechatCryptoModule,
  ],
  controllers: [EventStoreController, MessageController, ReleaseCheckController],
  providers: [
    AccountNames,
    EventContents,
    EventStore,
    EventStoreKeeper,
    MessageReader,
    MessageService,
    ReleaseCheckService,
    ReleaseSelfCheck,
    SelfPush,
  ],
})
export class MessageModule {}
