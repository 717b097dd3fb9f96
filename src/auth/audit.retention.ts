import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In, LessThan } from 'typeorm';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { AuditRecord } from './audit-record.entity.js';

const DAY_MS = 24 * 3_600_000;
/** Rows that one statement removes. */
const BATCH = 500;

/** Removes records of the audit trail after their time, in small batches. */
@Injectable()
export class AuditRetention {
  private readonly logger = new Logger(AuditRetention.name);

  constructor(
    private readonly database: Database,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'audit-retention', waitForCompletion: true })
  async sweep(): Promise<void> {
    try {
      while ((await this.removeSome()) === BATCH);
    } catch (error) {
      this.logger.warn('Old audit records could not be removed; tried again in an hour', error);
    }
  }

  private async removeSome(): Promise<number> {
    const where = {
      at: LessThan(this.time.nowForTask() - this.config.auditRetentionDays * DAY_MS),
    };
    const old = await this.database.read((manager) =>
      manager.find(AuditRecord, { where, select: { id: true }, take: BATCH }),
    );
    const ids = old.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await this.database.write((manager) => manager.delete(AuditRecord, { id: In(ids) }));
    return ids.length;
  }
}
