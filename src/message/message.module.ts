import { Module } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { ReleaseCheckModule } from '../release-check/release-check.module.js';
import { AccountNames } from './account-names.js';
import { MessageController } from './message.controller.js';
import { MessageReader } from './message.reader.js';
import { MessageService } from './message.service.js';

/** Messages and events of the accounts: received, and answered in time. */
@Module({
  imports: [AuthorizerModule, CallbackModule, DeliveryModule, ReleaseCheckModule],
  controllers: [MessageController],
  providers: [AccountNames, MessageReader, MessageService],
})
export class MessageModule {}
