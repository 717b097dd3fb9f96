import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentModule } from '../component/component.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { AuthorizationEventController } from './authorization-event.controller.js';
import { AuthorizationEventLog } from './authorization-event-log.js';
import { AuthorizationEvents } from './authorization-events.js';
import { AuthorizationLinkController } from './authorization-link.controller.js';
import { AuthorizationLinkService } from './authorization-link.service.js';
import { AuthorizationOutcomes } from './authorization-outcomes.js';
import { AuthorizationRequest } from './authorization-request.entity.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';
import { AuthorizationResultController } from './authorization-result.controller.js';
import { AuthorizationResultService } from './authorization-result.service.js';
import { AuthorizationRetention } from './authorization-retention.js';
import { AuthorizeController } from './authorize.controller.js';
import { AuthorizerAdminController } from './authorizer-admin.controller.js';
import { AuthorizerChange } from './authorizer-change.entity.js';
import { AuthorizerFindings } from './authorizer-findings.js';
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
import { AuthorizerStatistics } from './authorizer-statistics.js';
import { AuthorizerStore } from './authorizer.store.js';
import { AuthorizerTransitions } from './authorizer.transitions.js';
import { CodeVisitors } from './code-visitors.js';
import { PageToken } from './page-token.js';

/** Accounts that authorize a platform: from the click to a token that stays alive. */
@Module({
  imports: [
    TypeOrmModule.forFeature([
      Authorizer,
      AuthorizerChange,
      AuthorizationCode,
      AuthorizationRequest,
      AuthorizerResync,
    ]),
    ComponentModule,
    TokenModule,
    WechatApiModule,
  ],
  controllers: [
    AuthorizeController,
    AuthorizationLinkController,
    AuthorizationEventController,
    AuthorizationResultController,
    AuthorizerAdminController,
    AuthorizerResyncController,
    AuthorizerTokenController,
  ],
  providers: [
    AuthorizerStore,
    AuthorizerStatistics,
    AuthorizerTransitions,
    AuthorizerFindings,
    AuthorizerPauses,
    AuthorizerService,
    AuthorizerTokenSource,
    AuthorizerTokenService,
    AuthorizationCodeStore,
    CodeVisitors,
    AuthorizationCodeService,
    AuthorizationOutcomes,
    AuthorizationEvents,
    AuthorizationEventLog,
    AuthorizationRequestStore,
    AuthorizationResultService,
    AuthorizationRetention,
    AuthorizationLinkService,
    PageToken,
    AuthorizerInfoService,
    AuthorizerResyncStore,
    AuthorizerResyncService,
    AuthorizerRefresher,
  ],
  exports: [
    AuthorizationCodeService,
    AuthorizerTokenService,
    AuthorizerService,
    AuthorizerStatistics,
  ],
})
export class AuthorizerModule {}
