import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { RefusedPushStore } from './refused-push.store.js';

const DAY_MS = 24 * 3_600_000;
/** Rows that are kept at the most: senders who change their address can make many. */
const MAX_ROWS = 10_000;
/** Rows that one statement removes. */
const BATCH = 500;
/** Pause between statements, in milliseconds: pushes that wait go first. */
const PAUSE_MS = 5;

/** Removes the counts of refused pushes after their time, and the oldest where there are many. */
@Injectable()
export class RefusedPushRetention {
  private readonly logger = new Logger(RefusedPushRetention.name);

  constructor(
    private readonly store: RefusedPushStore,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'refused-push-retention', waitForCompletion: true })
  async sweep(): Promise<void> {
    const before = this.time.nowForTask() - this.config.eventRetentionDays * DAY_MS;
    try {
      await inBatches(() => this.store.removeBefore(before, BATCH));
      await inBatches(() => this.store.removeBeyond(MAX_ROWS, BATCH));
    } catch (error) {
      const message = 'Old refusals could not be removed; tried again in an hour';
      this.logger.warn(message, error);
    }
  }
}

async function inBatches(remove: () => Promise<number>): Promise<void> {
  while ((await remove()) === BATCH) await delay(PAUSE_MS);
}
