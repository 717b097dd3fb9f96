import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In, LessThan } from 'typeorm';
import { Clock } from '../common/clock.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { CallbackEvent } from './callback-event.entity.js';

const DAY_MS = 24 * 3_600_000;
/** Rows that one transaction removes: short enough that pushes do not wait for it. */
const BATCH = 500;

/** Removes recorded pushes after their time, in small batches. */
@Injectable()
export class EventRetention {
  private readonly logger = new Logger(EventRetention.name);

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'event-retention', waitForCompletion: true })
  async sweep(): Promise<void> {
    const before = this.clock.now() - this.config.eventRetentionDays * DAY_MS;
    try {
      let removed = 0;
      for (let count = BATCH; count === BATCH; removed += count) {
        count = await this.removeBatch(before);
      }
      if (removed > 0) this.logger.log('Removed old pushes', { removed });
    } catch (error) {
      this.logger.warn('Old pushes could not be removed; tried again in an hour', error);
    }
  }

  /** @returns how many were found. */
  private async removeBatch(before: number): Promise<number> {
    const old = await this.database.read((manager) =>
      manager.find(CallbackEvent, {
        select: { id: true },
        where: { receivedAt: LessThan(before) },
        order: { receivedAt: 'ASC' },
        take: BATCH,
      }),
    );
    if (old.length > 0) {
      const ids = old.map(({ id }) => id);
      await this.database.transaction((manager) => manager.delete(CallbackEvent, { id: In(ids) }));
    }
    return old.length;
  }
}
