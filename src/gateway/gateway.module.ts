import { Module } from '@nestjs/common';
import { AuthorizationModule } from '../authorization/authorization.module.js';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { GatewayClient } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { WxAccessService } from './wx-access.service.js';
import { WxPlatformService } from './wx-platform.service.js';
import { WxService } from './wx.service.js';

/** WeChat's API through the hub: the proxy, and the drop-in address for SDKs. */
@Module({
  imports: [TicketModule, TokenModule, AuthorizerModule, AuthorizationModule],
  providers: [GatewayClient, GatewayService, WxAccessService, WxPlatformService, WxService],
  exports: [GatewayService, WxService],
})
export class GatewayModule {}
