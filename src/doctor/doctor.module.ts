import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { ComponentModule } from '../component/component.module.js';
import { SubscriptionModule } from '../subscription/subscription.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { DoctorController } from './doctor.controller.js';
import { DoctorService } from './doctor.service.js';

/** Everything that can be checked, for people. */
@Module({
  imports: [
    AuthorizerModule,
    CallbackModule,
    ComponentModule,
    SubscriptionModule,
    TicketModule,
    TokenModule,
    WechatApiModule,
  ],
  controllers: [DoctorController],
  providers: [DoctorService],
})
export class DoctorModule {}
