import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentModule } from '../component/component.module.js';
import { WechatCryptoModule } from '../wechat-crypto/wechat-crypto.module.js';
import { CallbackEvent } from './callback-event.entity.js';
import { CallbackController } from './callback.controller.js';
import { CallbackService } from './callback.service.js';
import { EventDispatcher } from './event-dispatcher.js';
import { EventRecorder } from './event.recorder.js';
import { EventReplies } from './event-replies.js';
import { EventRetention } from './event.retention.js';
import { PushAnswers } from './push-answers.js';
import { PushEvidence } from './push-evidence.js';
import { PushVerifier } from './push-verifier.js';
import { RefusedPushController } from './refused-push.controller.js';
import { RefusedPush } from './refused-push.entity.js';
import { RefusedPushRetention } from './refused-push.retention.js';
import { RefusedPushStore } from './refused-push.store.js';
import { RefusedPushes } from './refused-pushes.js';

/** Receives WeChat's pushes; knows no feature: they take part by `@OnInfoType` and `@OnRecorded`. */
@Module({
  imports: [
    TypeOrmModule.forFeature([CallbackEvent, RefusedPush]),
    DiscoveryModule,
    ComponentModule,
    WechatCryptoModule,
  ],
  controllers: [CallbackController, RefusedPushController],
  providers: [
    CallbackService,
    EventDispatcher,
    EventRecorder,
    EventReplies,
    EventRetention,
    PushAnswers,
    PushEvidence,
    PushVerifier,
    RefusedPushRetention,
    RefusedPushStore,
    RefusedPushes,
  ],
  exports: [CallbackService, EventReplies],
})
export class CallbackModule {}
