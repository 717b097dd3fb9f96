import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { ComponentModule } from '../component/component.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsService } from './metrics.service.js';

/** Prometheus metrics. */
@Module({
  imports: [ComponentModule, DeliveryModule, TicketModule, TokenModule, AuthorizerModule],
  controllers: [MetricsController],
  providers: [MetricsService],
})
export class MetricsModule {}
