import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthorizationModule } from '../authorization/authorization.module.js';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { ComponentModule } from '../component/component.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { GatewayClient } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { QuotaController } from './quota.controller.js';
import { QuotaService } from './quota.service.js';
import { JsSdkController } from './js-sdk.controller.js';
import { JsTicket } from './js-ticket.entity.js';
import { JsTicketService } from './js-ticket.service.js';
import { WxAccessService } from './wx-access.service.js';
import { WxPlatformService } from './wx-platform.service.js';
import { WxWebService } from './wx-web.service.js';
import { WxService } from './wx.service.js';

/** WeChat's API through the hub: the proxy, and the drop-in address for SDKs. */
@Module({
  imports: [
    TypeOrmModule.forFeature([JsTicket]),
    WechatApiModule,
    ComponentModule,
    TicketModule,
    TokenModule,
    AuthorizerModule,
    AuthorizationModule,
  ],
  controllers: [JsSdkController, QuotaController],
  providers: [
    JsTicketService,
    GatewayClient,
    GatewayService,
    QuotaService,
    WxAccessService,
    WxPlatformService,
    WxWebService,
    WxService,
  ],
  exports: [GatewayService, WxService],
})
export class GatewayModule {}
