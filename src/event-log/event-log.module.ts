import { Module } from '@nestjs/common';
import { ComponentModule } from '../component/component.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { EventLogContents } from './event-log.contents.js';
import { EventLogController } from './event-log.controller.js';
import { EventLog } from './event.log.js';

/** The recorded pushes, for people. */
@Module({
  imports: [CallbackModule, ComponentModule, DeliveryModule],
  controllers: [EventLogController],
  providers: [EventLog, EventLogContents],
})
export class EventLogModule {}
