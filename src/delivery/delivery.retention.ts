import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In } from 'typeorm';
import { KeepsEvents } from '../callback/event.retention.js';
import { TrustedTime } from '../common/trusted-time.js';
import { Database } from '../database/database.js';
import { marks } from '../database/sql.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryRow } from './delivery.entity.js';
import { DeliveryStore } from './delivery.store.js';
import { SubscriptionService } from '../subscription/subscription.service.js';

/** Deliveries that one look takes in, and one transaction removes at the most. */
const BATCH = 500;
/** Pause between looks, in milliseconds: what has to be done now goes first. */
const PAUSE_MS = 5;

/** Removes deliveries whose push was removed, with their attempts, and recalls those that were lost sight of. */
@Injectable()
export class DeliveryRetention {
  private readonly logger = new Logger(DeliveryRetention.name);

  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionService,
    private readonly store: DeliveryStore,
    private readonly time: TrustedTime,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'delivery-retention', waitForCompletion: true })
  async sweep(): Promise<void> {
    try {
      let removed = 0;
      let page = await this.page('');
      while (page.length > 0) {
        removed += await this.tidy(page);
        page = await this.page(page.at(-1)?.id ?? '');
        await delay(PAUSE_MS);
      }
      if (removed > 0) this.logger.log('Removed old deliveries', { removed });
      await this.recallFar();
    } catch (error) {
      this.logger.warn('Old deliveries could not be removed; tried again in an hour', error);
    }
  }

  /** Keeps pushes beyond their time while they are still to be delivered. */
  @KeepsEvents(true)
  async stillPending(eventIds: string[]): Promise<string[]> {
    const rows = await this.database.read((manager) =>
      manager.find(DeliveryRow, {
        select: { eventId: true },
        where: { eventId: In(eventIds), status: 'pending' },
      }),
    );
    return rows.map(({ eventId }) => eventId);
  }

  /** Only by a clock that is confirmed: to one that is behind, all that waits seems to wait too long. */
  private async recallFar(): Promise<void> {
    let recalled = 0;
    for (const { id } of this.time.isConfirmed() ? await this.subscriptions.list() : []) {
      let found: number;
      do {
        found = await this.store.recallFar(id, this.time.now());
        recalled += found;
      } while (found > 0);
    }
    if (recalled > 0) {
      const message = 'Deliveries were put off by a clock that was ahead; they are made now';
      this.logger.warn(message, { recalled });
    }
  }

  private page(after: string): Promise<DeliveryRow[]> {
    return this.database.read((manager) =>
      manager
        .createQueryBuilder(DeliveryRow, 'delivery')
        .where('delivery.id > :after', { after })
        .orderBy('delivery.id', 'ASC')
        .limit(BATCH)
        .getMany(),
    );
  }

  /** @returns how many were removed. */
  private async tidy(rows: DeliveryRow[]): Promise<number> {
    const kept = await this.storedPushes(rows.map(({ eventId }) => eventId));
    const old = rows.filter(({ eventId }) => !kept.has(eventId)).map(({ id }) => id);
    if (old.length > 0) await this.remove(old);
    const left = rows.filter(({ status, eventId }) => status === 'pending' && kept.has(eventId));
    await this.cancelOrphans(left);
    return old.length;
  }

  private async storedPushes(ids: string[]): Promise<Set<string>> {
    const unique = [...new Set(ids)];
    const rows: { id: string }[] = await this.database.read((manager) =>
      manager.query(`SELECT id FROM callback_event WHERE id IN (${marks(unique.length)})`, unique),
    );
    return new Set(rows.map(({ id }) => id));
  }

  private async remove(ids: string[]): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.delete(DeliveryAttempt, { deliveryId: In(ids) });
      await manager.delete(DeliveryRow, { id: In(ids) });
    });
  }

  /** Another host began them before it knew that their subscription is gone. */
  private async cancelOrphans(rows: DeliveryRow[]): Promise<void> {
    const orphans = rows.filter(({ subscriptionId }) => !this.subscriptions.find(subscriptionId));
    await this.store.cancel(orphans.map(({ id }) => id));
  }
}
