import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { idsOf } from '../database/sql.js';
import { PushStore, type OldPush } from '../callback/push.store.js';
import { Background } from '../common/background.js';
import { DAY_MS } from '../common/times.js';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database, LONG_WORK_LIMIT_MS } from '../database/database.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { DeliveryStore } from './delivery.store.js';

/** Pushes that one look takes in, and one transaction removes: those that come in wait for no more. */
const BATCH = 500;
/** Pause between looks, in milliseconds: pushes that wait go first. */
const PAUSE_MS = 5;
/** For how long a push is kept beyond its time because a delivery is pending, in milliseconds. */
const LONGEST_DELAY_MS = 30 * DAY_MS;

/**
 * Removes recorded pushes after their time, with their deliveries and attempts. One that waits for
 * a subscription is kept until that has it, but no longer than 30 days.
 */
@Injectable()
export class PushRetention {
  private readonly logger = new Logger(PushRetention.name);

  constructor(
    private readonly background: Background,
    private readonly database: Database,
    private readonly pushes: PushStore,
    private readonly deliveries: DeliveryStore,
    private readonly subscriptions: SubscriptionService,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'push-retention', waitForCompletion: true })
  sweep(): Promise<void> {
    const failure = 'Old pushes could not be removed; tried again in an hour';
    return this.background.tick('push-retention', failure, async () => {
      await this.removeOld(this.time.nowForTask());
      await this.repairDeliveries();
    });
  }

  private async removeOld(now: number): Promise<void> {
    const { eventRetentionDays, messageRetentionDays } = this.config;
    const oldBefore = (infoType: string): number =>
      now - (infoType === '' ? messageRetentionDays : eventRetentionDays) * DAY_MS;
    let removed = 0;
    // Those that are kept are passed by, so that each is looked at once.
    for await (const old of this.pushes.older(oldBefore, BATCH)) {
      const mayWait = old.filter(
        ({ infoType, receivedAt }) => receivedAt >= oldBefore(infoType) - LONGEST_DELAY_MS,
      );
      removed += await this.remove(old, mayWait);
      await delay(PAUSE_MS);
    }
    if (removed > 0) this.logger.log('Removed old pushes', { removed });
    // A replay may have begun them while their push was removed.
    const none = Math.min(oldBefore(''), oldBefore('any')) - LONGEST_DELAY_MS;
    await this.deliveries.removeBegunBefore(none);
  }

  /** @returns how many were removed. */
  private remove(old: OldPush[], mayWait: OldPush[]): Promise<number> {
    return this.database.transaction(async (manager) => {
      const kept = await this.deliveries.awaited(idsOf(mayWait), manager);
      const ids = idsOf(old).filter((id) => !kept.has(id));
      if (ids.length === 0) return 0;
      await this.deliveries.removeOf(ids, manager);
      await this.pushes.remove(ids, manager);
      return ids.length;
    }, LONG_WORK_LIMIT_MS);
  }

  /**
   * Cancels what another host began before it knew that the subscription is gone, and recalls what
   * a clock that was ahead has put off.
   */
  private async repairDeliveries(): Promise<void> {
    const ids = await this.deliveries.subscriptionIds();
    const known = new Set(idsOf(await this.subscriptions.reload()));
    let recalled = 0;
    for (const id of ids) {
      if (!known.has(id)) await this.deliveries.cancelOf(id);
      else recalled += await this.recallFar(id);
    }
    if (recalled > 0) {
      const message = 'Deliveries were put off by a clock that was ahead; they are made now';
      this.logger.warn(message, { recalled });
    }
  }

  /** Only by a clock that is confirmed: to one that is behind, all that waits seems to wait too long. */
  private async recallFar(subscriptionId: string): Promise<number> {
    if (!this.time.isConfirmed()) return 0;
    let recalled = 0;
    let found: number;
    do {
      found = await this.deliveries.recallFar(subscriptionId, this.time.now());
      recalled += found;
    } while (found > 0);
    return recalled;
  }
}
