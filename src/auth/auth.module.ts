import { Global, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccessGuard } from './access.guard.js';
import { AdminTokenService } from './admin-token.service.js';
import { ApiKeyController } from './api-key.controller.js';
import { ApiKeyRow } from './api-key.entity.js';
import { ApiKeyService } from './api-key.service.js';
import { ApiKeyStore } from './api-key.store.js';
import { AuditRecord } from './audit-record.entity.js';
import { AuditController } from './audit.controller.js';
import { AuditInterceptor } from './audit.interceptor.js';
import { AuditLog } from './audit.log.js';
import { AuditRetention } from './audit.retention.js';
import { AuditService } from './audit.service.js';
import { OperatorController } from './operator.controller.js';
import { OperatorRow } from './operator.entity.js';
import { OperatorService } from './operator.service.js';
import { OperatorStore } from './operator.store.js';
import { SessionController, SessionListController } from './session.controller.js';
import { SessionRow } from './session.entity.js';
import { SessionService } from './session.service.js';
import { SessionStore } from './session.store.js';
import { Setting } from './setting.entity.js';
import { SettingStore } from './setting.store.js';

/** Who may call what, and the trail of what was done. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([Setting, AuditRecord, ApiKeyRow, SessionRow, OperatorRow])],
  controllers: [
    AuditController,
    ApiKeyController,
    SessionController,
    SessionListController,
    OperatorController,
  ],
  providers: [
    SettingStore,
    AdminTokenService,
    AccessGuard,
    ApiKeyService,
    ApiKeyStore,
    AuditService,
    AuditLog,
    AuditRetention,
    SessionService,
    SessionStore,
    OperatorService,
    OperatorStore,
    { provide: APP_INTERCEPTOR, useClass: AuditInterceptor },
  ],
  exports: [AccessGuard, AuditService, SettingStore],
})
export class AuthModule {}
