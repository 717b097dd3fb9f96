import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CallbackModule } from '../callback/callback.module.js';
import { ComponentModule } from '../component/component.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { ComponentVerifyTicket } from './component-verify-ticket.entity.js';
import { TicketPushService } from './ticket-push.service.js';
import { TicketController } from './ticket.controller.js';
import { TicketService } from './ticket.service.js';
import { TicketStore } from './ticket.store.js';

/** component_verify_ticket: keeping, inspecting and asking for it. */
@Module({
  imports: [
    TypeOrmModule.forFeature([ComponentVerifyTicket]),
    CallbackModule,
    ComponentModule,
    WechatApiModule,
  ],
  controllers: [TicketController],
  providers: [TicketService, TicketPushService, TicketStore],
  exports: [TicketService, TicketPushService],
})
export class TicketModule {}
