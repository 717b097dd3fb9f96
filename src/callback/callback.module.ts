import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentModule } from '../component/component.module.js';
import { WechatCryptoModule } from '../wechat-crypto/wechat-crypto.module.js';
import { CallbackEvent } from './callback-event.entity.js';
import { CallbackController } from './callback.controller.js';
import { CallbackService } from './callback.service.js';
import { PushAnswers } from './push-answers.js';
import { PushRecorder } from './push.recorder.js';
import { PushStore } from './push.store.js';
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
    PushAnswers,
    PushRecorder,
    PushStore,
    PushVerifier,
    RefusedPushRetention,
    RefusedPushStore,
    RefusedPushes,
  ],
  exports: [CallbackService, PushStore, RefusedPushStore],
})
export class CallbackModule {}
