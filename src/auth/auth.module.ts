import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AdminTokenGuard } from './admin-token.guard.js';
import { AdminTokenService } from './admin-token.service.js';
import { AuditRecord } from './audit-record.entity.js';
import { AuditService } from './audit.service.js';
import { Setting } from './setting.entity.js';

/** Who may call `/admin` and `/api`, and the trail of what was done there. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([Setting, AuditRecord])],
  providers: [AdminTokenService, AdminTokenGuard, AuditService],
  exports: [AdminTokenService, AdminTokenGuard, AuditService],
})
export class AuthModule {}
