import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { GatewayClient } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { QuotaController } from './quota.controller.js';
import { QuotaService } from './quota.service.js';

/** WeChat's API through the hub: the proxy. */
@Module({
  imports: [WechatApiModule, TokenModule, AuthorizerModule],
  controllers: [QuotaController],
  providers: [GatewayClient, GatewayService, QuotaService],
  exports: [GatewayService],
})
export class GatewayModule {}
