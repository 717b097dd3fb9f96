import { Injectable } from '@nestjs/common';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import { marks } from '../database/sql.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryRow, type DeliveryStatus } from './delivery.entity.js';
import type { DeliveryListQuery } from './delivery.views.js';

/** How many deliveries there are, by status. */
export type DeliveryCounts = Record<DeliveryStatus, number>;

/** No delivery of that id (404). */
export class DeliveryUnknownError extends HubError {
  constructor(id: string) {
    super('delivery_unknown', 'There is no such delivery', {
      status: 404,
      details: { deliveryId: id.slice(0, 64) },
    });
  }
}

/** What was delivered, what was not, and why. */
@Injectable()
export class DeliveryLog {
  constructor(private readonly database: Database) {}

  /** A page, newest first. */
  page({ subscription, status, event, before, limit }: DeliveryListQuery): Promise<DeliveryRow[]> {
    return this.database.read((manager) => {
      const select = manager
        .createQueryBuilder(DeliveryRow, 'delivery')
        .orderBy('delivery.id', 'DESC')
        .limit(limit);
      if (subscription)
        select.andWhere('delivery.subscriptionId = :subscription', { subscription });
      if (status) select.andWhere('delivery.status = :status', { status });
      if (event) select.andWhere('delivery.eventId = :event', { event });
      if (before) select.andWhere('delivery.id < :before', { before });
      return select.getMany();
    });
  }

  /** @throws {DeliveryUnknownError} */
  async get(id: string): Promise<DeliveryRow> {
    const row = await this.database.read((manager) => manager.findOneBy(DeliveryRow, { id }));
    if (!row) throw new DeliveryUnknownError(id);
    return row;
  }

  /** All deliveries of a push, in the order in which they began. */
  ofEvent(eventId: string): Promise<DeliveryRow[]> {
    return this.database.read((manager) =>
      manager.find(DeliveryRow, { where: { eventId }, order: { id: 'ASC' } }),
    );
  }

  /** Attempts of a delivery, oldest first. */
  attempts(deliveryId: string): Promise<DeliveryAttempt[]> {
    return this.database.read((manager) =>
      manager.find(DeliveryAttempt, { where: { deliveryId }, order: { id: 'ASC' } }),
    );
  }

  /** How many deliveries these pushes have; those of a status of which there is none are missing. */
  async countsOf(eventIds: string[]): Promise<Map<string, Partial<DeliveryCounts>>> {
    const counts = new Map<string, Partial<DeliveryCounts>>();
    if (eventIds.length === 0) return counts;
    const rows: { id: string; status: DeliveryStatus; count: number | string }[] =
      await this.database.read((manager) =>
        manager.query(
          `SELECT event_id AS id, status, COUNT(*) AS count FROM delivery
           WHERE event_id IN (${marks(eventIds.length)}) GROUP BY event_id, status`,
          eventIds,
        ),
      );
    for (const { id, status, count } of rows) {
      counts.set(id, { ...counts.get(id), [status]: Number(count) });
    }
    return counts;
  }

  /** How many deliveries of each of these subscriptions are still to be made. */
  async pending(subscriptionIds: string[]): Promise<Map<string, number>> {
    if (subscriptionIds.length === 0) return new Map();
    const rows: { id: string; pending: number | string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT subscription_id AS id, COUNT(*) AS pending FROM delivery
         WHERE status = 'pending' AND subscription_id IN (${marks(subscriptionIds.length)})
         GROUP BY subscription_id`,
        subscriptionIds,
      ),
    );
    return new Map(rows.map(({ id, pending }) => [id, Number(pending)]));
  }
}
