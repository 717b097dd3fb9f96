import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { EventLogController } from './event-log.controller.js';
import { EventLog } from './event.log.js';

/** The recorded pushes, for people. */
@Module({
  imports: [AuthorizerModule, CallbackModule, DeliveryModule],
  controllers: [EventLogController],
  providers: [EventLog],
})
export class EventLogModule {}
