import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { WebhookModule } from '../webhook/webhook.module.js';
import { SubscriptionRow } from './subscription.entity.js';
import { SubscriptionService } from './subscription.service.js';
import { SubscriptionStore } from './subscription.store.js';

/** Which services are sent which pushes, and how. */
@Module({
  imports: [TypeOrmModule.forFeature([SubscriptionRow]), WebhookModule],
  providers: [SubscriptionStore, SubscriptionService],
  exports: [SubscriptionStore, SubscriptionService],
})
export class SubscriptionModule {}
