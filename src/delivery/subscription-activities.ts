import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { DAY_MS, HOUR_MS, isoTime } from '../common/times.js';
import { StatisticStore } from '../statistics/statistic.store.js';
import type { Subscription } from '../subscription/subscription.js';
import type { SubscriptionActivity } from '../subscription/subscription.views.js';
import { DeliveryLog } from './delivery.log.js';

/** Most sums that are read: three for each subscription. */
const MOST_SUMS = 10_000;

/** What happened with subscriptions lately. */
@Injectable()
export class SubscriptionActivities {
  constructor(
    private readonly log: DeliveryLog,
    private readonly statistics: StatisticStore,
    private readonly clock: Clock,
  ) {}

  /** In the order of the subscriptions. */
  async of(subscriptions: Pick<Subscription, 'id'>[]): Promise<SubscriptionActivity[]> {
    const ids = subscriptions.map(({ id }) => id);
    if (ids.length === 0) return [];
    const now = this.clock.now();
    const [pending, delivered, sums] = await Promise.all([
      this.log.pending(ids),
      this.log.lastDelivered(ids),
      this.statistics.sums({
        kinds: ['delivery'],
        from: now - (now % HOUR_MS) - DAY_MS,
        to: now + HOUR_MS,
        groups: ['path', 'outcome'],
        limit: MOST_SUMS,
      }),
    ]);
    return ids.map((id) => {
      const lastDay = { taken: 0, refused: 0, unreachable: 0 };
      for (const { path, outcome = '', count } of sums) {
        if (path === id && outcome in lastDay) lastDay[outcome as keyof typeof lastDay] += count;
      }
      const lastDeliveredAt = isoTime(delivered.get(id) ?? null);
      return { pending: pending.get(id) ?? 0, lastDeliveredAt, lastDay };
    });
  }
}
