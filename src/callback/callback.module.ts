import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentModule } from '../component/component.module.js';
import { WechatCryptoModule } from '../wechat-crypto/wechat-crypto.module.js';
import { CallbackEvent } from './callback-event.entity.js';
import { CallbackController } from './callback.controller.js';
import { CallbackService } from './callback.service.js';
import { EventDispatcher } from './event-dispatcher.js';
import { EventRecorder } from './event-recorder.js';
import { EventReplies } from './event-replies.js';
import { EventRetention } from './event-retention.js';
import { PushAnswers } from './push-answers.js';
import { PushVerifier } from './push-verifier.js';

/** Receives WeChat's pushes; knows no feature: they take part by `@OnInfoType` and `@OnRecorded`. */
@Module({
  imports: [
    TypeOrmModule.forFeature([CallbackEvent]),
    DiscoveryModule,
    ComponentModule,
    WechatCryptoModule,
  ],
  controllers: [CallbackController],
  providers: [
    CallbackService,
    EventDispatcher,
    EventRecorder,
    EventReplies,
    EventRetention,
    PushAnswers,
    PushVerifier,
  ],
  exports: [CallbackService, EventReplies],
})
export class CallbackModule {}
