import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { TokenModule } from '../token/token.module.js';
import { GatewayClient } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { WxAccessService } from './wx-access.service.js';
import { WxService } from './wx.service.js';

/** WeChat's API through the hub: the proxy, and the drop-in address for SDKs. */
@Module({
  imports: [TokenModule, AuthorizerModule],
  providers: [GatewayClient, GatewayService, WxAccessService, WxService],
  exports: [GatewayService, WxService],
})
export class GatewayModule {}
