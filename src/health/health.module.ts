import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { ComponentModule } from '../component/component.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';
import { OverviewController } from './overview.controller.js';
import { OverviewService } from './overview.service.js';

/** Liveness and readiness; the overview for people. */
@Module({
  imports: [ComponentModule, TicketModule, TokenModule, AuthorizerModule, DeliveryModule],
  controllers: [HealthController, OverviewController],
  providers: [HealthService, OverviewService],
})
export class HealthModule {}
