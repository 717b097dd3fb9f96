import { Inject, Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { LessThan } from 'typeorm';
import { Background } from '../common/background.js';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { removeInBatches } from '../database/remove-in-batches.js';
import { AuditRecord } from './audit-record.entity.js';
import { DAY_MS } from '../common/times.js';

/** Removes records of the audit trail after their time, in small batches. */
@Injectable()
export class AuditRetention {
  constructor(
    private readonly database: Database,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly background: Background,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'audit-retention', waitForCompletion: true })
  sweep(): Promise<void> {
    const failure = 'Old audit records could not be removed; tried again in an hour';
    return this.background.tick('audit-retention', failure, async () => {
      const before = this.time.nowForTask() - this.config.auditRetentionDays * DAY_MS;
      await removeInBatches(this.database, AuditRecord, 'id', { where: { at: LessThan(before) } });
    });
  }
}
