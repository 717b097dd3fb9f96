import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { TokenModule } from '../token/token.module.js';
import { GatewayClient } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';

/** WeChat's API through the hub: the proxy. */
@Module({
  imports: [TokenModule, AuthorizerModule],
  providers: [GatewayClient, GatewayService],
  exports: [GatewayService],
})
export class GatewayModule {}
