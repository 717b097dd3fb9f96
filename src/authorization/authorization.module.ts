import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { ComponentModule } from '../component/component.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { AuthorizationEventController } from './authorization-event.controller.js';
import { AuthorizationEvents } from './authorization-events.js';
import { AuthorizationLinkController } from './authorization-link.controller.js';
import { AuthorizationLinkService } from './authorization-link.service.js';
import { AuthorizationRequest } from './authorization-request.entity.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';
import { AuthorizationResultController } from './authorization-result.controller.js';
import { AuthorizationResultService } from './authorization-result.service.js';
import { AuthorizationController } from './authorization.controller.js';
import { AuthorizationRetention } from './authorization.retention.js';
import { AuthorizeController } from './authorize.controller.js';
import { CodeVisitors } from './code-visitors.js';

/** How an account comes in: page, link, code, event, and the result for the platform's own service. */
@Module({
  imports: [
    TypeOrmModule.forFeature([AuthorizationCode, AuthorizationRequest]),
    AuthorizerModule,
    CallbackModule,
    ComponentModule,
    TokenModule,
    WechatApiModule,
  ],
  controllers: [
    AuthorizeController,
    AuthorizationController,
    AuthorizationLinkController,
    AuthorizationEventController,
    AuthorizationResultController,
  ],
  providers: [
    AuthorizationCodeStore,
    CodeVisitors,
    AuthorizationCodeService,
    AuthorizationEvents,
    AuthorizationRequestStore,
    AuthorizationResultService,
    AuthorizationRetention,
    AuthorizationLinkService,
  ],
  exports: [AuthorizationCodeService],
})
export class AuthorizationModule {}
