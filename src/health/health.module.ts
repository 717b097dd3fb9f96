import { Module } from '@nestjs/common';
import { ComponentModule } from '../component/component.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';

/** Liveness and readiness. */
@Module({
  imports: [ComponentModule, TicketModule, TokenModule],
  controllers: [HealthController],
  providers: [HealthService],
})
export class HealthModule {}
