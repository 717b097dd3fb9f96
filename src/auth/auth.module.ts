import { Global, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AdminTokenGuard } from './admin-token.guard.js';
import { AdminTokenService } from './admin-token.service.js';
import { AuditRecord } from './audit-record.entity.js';
import { AuditController } from './audit.controller.js';
import { AuditInterceptor } from './audit.interceptor.js';
import { AuditLog } from './audit.log.js';
import { AuditRetention } from './audit.retention.js';
import { AuditService } from './audit.service.js';
import { Setting } from './setting.entity.js';
import { WrongBearers } from './wrong-bearers.js';

/** Who may call `/admin` and `/api`, and the trail of what was done there. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([Setting, AuditRecord])],
  controllers: [AuditController],
  providers: [
    AdminTokenService,
    AdminTokenGuard,
    AuditService,
    AuditLog,
    AuditRetention,
    WrongBearers,
    { provide: APP_INTERCEPTOR, useClass: AuditInterceptor },
  ],
  exports: [AdminTokenService, AdminTokenGuard, AuditService, WrongBearers],
})
export class AuthModule {}
