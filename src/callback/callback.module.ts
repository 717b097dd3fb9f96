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
import { EventRetention } from './event-retention.js';
import { PushVerifier } from './push-verifier.js';

/** Receives WeChat's pushes; knows no feature: they take part by `@OnInfoType`. */
@Module({
  imports: [
    TypeOrmModule.forFeature([CallbackEvent]),
    DiscoveryModule,
    ComponentModule,
    WechatCryptoModule,
  ],
  controllers: [CallbackController],
  providers: [CallbackService, EventDispatcher, EventRecorder, EventRetention, PushVerifier],
})
export class CallbackModule {}
