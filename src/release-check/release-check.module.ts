import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthorizationModule } from '../authorization/authorization.module.js';
import { ComponentModule } from '../component/component.module.js';
import { ReplyModule } from '../reply/reply.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { WechatCryptoModule } from '../wechat-crypto/wechat-crypto.module.js';
import { ReleaseCheckController } from './release-check.controller.js';
import { ReleaseCheckRun } from './release-check-run.entity.js';
import { ReleaseCheckRunStore } from './release-check-run.store.js';
import { ReleaseCheckService } from './release-check.service.js';
import { ReleaseSelfCheck } from './release-self-check.js';
import { SelfPush } from './self-push.js';

/** WeChat's release check (全网发布检测): the answers that it wants, and the check played here. */
@Module({
  imports: [
    TypeOrmModule.forFeature([ReleaseCheckRun]),
    AuthorizationModule,
    ComponentModule,
    ReplyModule,
    TicketModule,
    WechatCryptoModule,
  ],
  controllers: [ReleaseCheckController],
  providers: [ReleaseCheckRunStore, ReleaseCheckService, ReleaseSelfCheck, SelfPush],
  exports: [ReleaseCheckService, SelfPush],
})
export class ReleaseCheckModule {}
