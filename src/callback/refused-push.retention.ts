import { Inject, Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Background } from '../common/background.js';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { RefusedPushStore } from './refused-push.store.js';
import { DAY_MS } from '../common/times.js';

/** Rows that are kept at the most: senders who change their address can make many. */
const MAX_ROWS = 10_000;

/** Removes the counts of refused pushes after their time, and the oldest where there are many. */
@Injectable()
export class RefusedPushRetention {
  constructor(
    private readonly store: RefusedPushStore,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly background: Background,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'refused-push-retention', waitForCompletion: true })
  sweep(): Promise<void> {
    const failure = 'Old refusals could not be removed; tried again in an hour';
    return this.background.tick('refused-push-retention', failure, async () => {
      const before = this.time.nowForTask() - this.config.eventRetentionDays * DAY_MS;
      await this.store.removeBefore(before);
      await this.store.removeBeyond(MAX_ROWS);
    });
  }
}
