import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AdminTokenGuard } from './admin-token.guard.js';
import { AdminTokenService } from './admin-token.service.js';
import { AuditRecord } from './audit-record.entity.js';
import { AuditService } from './audit.service.js';
import { MemoryReads } from './memory-reads.js';
import { Setting } from './setting.entity.js';
import { WrongBearers } from './wrong-bearers.js';

/** Who may call `/admin` and `/api`, and the trail of what was done there. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([Setting, AuditRecord])],
  providers: [AdminTokenService, AdminTokenGuard, AuditService, MemoryReads, WrongBearers],
  exports: [AdminTokenService, AdminTokenGuard, AuditService, MemoryReads, WrongBearers],
})
export class AuthModule {}
