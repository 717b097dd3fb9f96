import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CallbackModule } from '../callback/callback.module.js';
import { ReplyModule } from '../reply/reply.module.js';
import { SubscriptionModule } from '../subscription/subscription.module.js';
import { StatisticsModule } from '../statistics/statistics.module.js';
import { WebhookModule } from '../webhook/webhook.module.js';
import { WechatCryptoModule } from '../wechat-crypto/wechat-crypto.module.js';
import { AttemptService } from './attempt.service.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryController } from './delivery.controller.js';
import { DeliveryRow } from './delivery.entity.js';
import { DeliveryLog } from './delivery.log.js';
import { DeliveryRecorder } from './delivery.recorder.js';
import { DeliveryReplay } from './delivery.replay.js';
import { DeliveryResults } from './delivery.results.js';
import { DeliveryStore } from './delivery.store.js';
import { DeliveryWorker } from './delivery.worker.js';
import { PushRetention } from './push.retention.js';
import { ResponderService } from './responder.service.js';
import { SubscriptionController } from './subscription.controller.js';
import { SubscriptionActivities } from './subscription-activities.js';
import { SubscriptionHealth } from './subscription-health.js';
import { WechatFormat } from './wechat-format.js';

/** Tells the platform's own services of pushes: signed, at least once, whatever one of them does. */
@Module({
  imports: [
    TypeOrmModule.forFeature([DeliveryRow, DeliveryAttempt]),
    CallbackModule,
    ReplyModule,
    StatisticsModule,
    SubscriptionModule,
    WebhookModule,
    WechatCryptoModule,
  ],
  controllers: [SubscriptionController, DeliveryController],
  providers: [
    SubscriptionActivities,
    SubscriptionHealth,
    DeliveryStore,
    DeliveryResults,
    AttemptService,
    WechatFormat,
    DeliveryWorker,
    DeliveryRecorder,
    DeliveryReplay,
    DeliveryLog,
    PushRetention,
    ResponderService,
  ],
  exports: [SubscriptionModule, ResponderService, DeliveryLog, DeliveryReplay],
})
export class DeliveryModule {}
