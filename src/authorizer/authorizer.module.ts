import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentModule } from '../component/component.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { AuthorizerAdminController } from './authorizer-admin.controller.js';
import { AuthorizerChange } from './authorizer-change.entity.js';
import { AuthorizerInfoService } from './authorizer-info.service.js';
import { AuthorizerPauses } from './authorizer-pauses.js';
import { AuthorizerResyncController } from './authorizer-resync.controller.js';
import { AuthorizerResync } from './authorizer-resync.entity.js';
import { AuthorizerResyncService } from './authorizer-resync.service.js';
import { AuthorizerResyncStore } from './authorizer-resync.store.js';
import { AuthorizerTokenController } from './authorizer-token.controller.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { AuthorizerTokenSource } from './authorizer-token.source.js';
import { Authorizer } from './authorizer.entity.js';
import { AuthorizerRefresher } from './authorizer.refresher.js';
import { AuthorizerService } from './authorizer.service.js';
import { AuthorizerStore } from './authorizer.store.js';

/** The accounts that have authorized a platform, and their tokens, which stay alive. */
@Module({
  imports: [
    TypeOrmModule.forFeature([Authorizer, AuthorizerChange, AuthorizerResync]),
    ComponentModule,
    TokenModule,
    WechatApiModule,
  ],
  controllers: [AuthorizerAdminController, AuthorizerResyncController, AuthorizerTokenController],
  providers: [
    AuthorizerStore,
    AuthorizerPauses,
    AuthorizerService,
    AuthorizerTokenSource,
    AuthorizerTokenService,
    AuthorizerInfoService,
    AuthorizerResyncStore,
    AuthorizerResyncService,
    AuthorizerRefresher,
  ],
  exports: [AuthorizerStore, AuthorizerPauses, AuthorizerTokenService, AuthorizerResyncService],
})
export class AuthorizerModule {}
