import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentModule } from '../component/component.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { ComponentAccessToken } from './component-access-token.entity.js';
import { ComponentCall } from './component-call.js';
import { ComponentTokenSource } from './component-token.source.js';
import { TokenAdminController } from './token-admin.controller.js';
import { TokenController } from './token.controller.js';
import { TokenRefresher } from './token.refresher.js';
import { TokenService } from './token.service.js';

/** component_access_token: kept alive, handed out, inspected. */
@Module({
  imports: [
    TypeOrmModule.forFeature([ComponentAccessToken]),
    ComponentModule,
    TicketModule,
    WechatApiModule,
  ],
  controllers: [TokenController, TokenAdminController],
  providers: [TokenService, TokenRefresher, ComponentTokenSource, ComponentCall],
  exports: [TokenService, ComponentCall],
})
export class TokenModule {}
