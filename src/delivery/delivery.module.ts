import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CallbackModule } from '../callback/callback.module.js';
import { ReplyModule } from '../reply/reply.module.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryAttempts } from './delivery.attempts.js';
import { DeliveryController } from './delivery.controller.js';
import { DeliveryRow } from './delivery.entity.js';
import { DeliveryLog } from './delivery.log.js';
import { DeliveryRecorder } from './delivery.recorder.js';
import { DeliveryReplay } from './delivery.replay.js';
import { DeliveryResults } from './delivery.results.js';
import { DeliveryRetention } from './delivery.retention.js';
import { DeliveryRun } from './delivery.run.js';
import { DeliverySender } from './delivery.sender.js';
import { DeliveryStore } from './delivery.store.js';
import { DeliveryWorker } from './delivery.worker.js';
import { LateReplies } from './late-replies.js';
import { LongTexts } from './long-texts.js';
import { ResponderService } from './responder.service.js';
import { StoredPushReader } from './stored-push.reader.js';
import { SubscriptionController } from './subscription.controller.js';
import { SubscriptionRow } from './subscription.entity.js';
import { SubscriptionHealth } from './subscription-health.js';
import { SubscriptionService } from './subscription.service.js';
import { SubscriptionStore } from './subscription.store.js';
import { SubscriptionTest } from './subscription-test.js';
import { TargetClient } from './target.client.js';
import { TargetLookup } from './target-lookup.js';

/** Tells the platform's own services of pushes: signed, at least once, whatever one of them does. */
@Module({
  imports: [
    TypeOrmModule.forFeature([SubscriptionRow, DeliveryRow, DeliveryAttempt]),
    CallbackModule,
    ReplyModule,
  ],
  controllers: [SubscriptionController, DeliveryController],
  providers: [
    TargetLookup,
    TargetClient,
    LateReplies,
    LongTexts,
    SubscriptionStore,
    SubscriptionService,
    SubscriptionHealth,
    SubscriptionTest,
    StoredPushReader,
    DeliveryStore,
    DeliveryResults,
    DeliverySender,
    DeliveryAttempts,
    DeliveryRun,
    DeliveryWorker,
    DeliveryRecorder,
    DeliveryReplay,
    DeliveryLog,
    DeliveryRetention,
    ResponderService,
  ],
  exports: [ResponderService, SubscriptionService, DeliveryLog, StoredPushReader],
})
export class DeliveryModule {}
