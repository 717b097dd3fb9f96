import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import { CallbackEvent } from '../callback/callback-event.entity.js';
import { DeliveryLog } from './delivery.log.js';
import { DeliveryResults } from './delivery.results.js';
import { DeliverySender, type Sent } from './delivery.sender.js';
import { DeliveryStore, type NewDelivery } from './delivery.store.js';
import { DeliveryWorker } from './delivery.worker.js';
import { marks } from './sql.js';
import { StoredPushReader } from './stored-push.reader.js';
import { SubscriptionService } from './subscription.service.js';
import { matches, orderKeyOf, type Subscription } from './subscription.js';

/** Pushes that one transaction looks at. */
const BATCH = 200;

/** Which pushes of a subscription are delivered again. Times are Unix milliseconds. */
export interface ReplayRange {
  from: number;
  to: number;
  /** `all`: also what was never delivered to it, because it did not exist then, or was disabled. */
  status: 'dead' | 'delivered' | 'all';
}

type RangePush = Pick<
  CallbackEvent,
  | 'id'
  | 'receivedAt'
  | 'kind'
  | 'componentAppId'
  | 'authorizerAppId'
  | 'infoType'
  | 'msgType'
  | 'event'
>;

/** Delivers again what was delivered, or was not. */
@Injectable()
export class DeliveryReplay {
  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionService,
    private readonly store: DeliveryStore,
    private readonly log: DeliveryLog,
    private readonly pushes: StoredPushReader,
    private readonly sender: DeliverySender,
    private readonly results: DeliveryResults,
    private readonly worker: DeliveryWorker,
    private readonly clock: Clock,
  ) {}

  /**
   * Attempts one delivery now. It moves no schedule: one that fails is tried again when it would
   * have been, one that is taken has come to its end.
   * @throws {HubError} 404 `delivery_unknown` or `subscription_unknown`, 409 `push_gone`
   */
  async one(deliveryId: string): Promise<Sent> {
    const row = await this.log.get(deliveryId);
    const subscription = await this.subscriptions.get(row.subscriptionId);
    const push = (await this.pushes.read([row.eventId])).get(row.eventId);
    if (!push) throw new HubError('push_gone', 'The push is no longer stored', { status: 409 });
    if (push instanceof Error) throw push;
    const sent = await this.sender.send({ deliveryId, push, subscription, cause: 'manual' });
    const { at, durationMs, status, error } = sent;
    const attempt = { at, durationMs, cause: 'manual', status, error } as const;
    await this.results.saveManual(deliveryId, attempt, sent.taken ? this.clock.now() : undefined);
    return sent;
  }

  /**
   * Begins anew the deliveries of all pushes of a time range that the subscription's filter means.
   * What is pending stays as it is.
   * @returns how many were begun.
   * @throws {SubscriptionUnknownError}
   */
  async range(subscriptionId: string, range: ReplayRange): Promise<number> {
    const subscription = await this.subscriptions.get(subscriptionId);
    let begun = 0;
    let after: RangePush | undefined;
    for (;;) {
      const page = await this.page(range, after);
      const meant = page.filter((push) => matches(subscription, push));
      begun += await this.begin(subscription, meant, range.status);
      after = page.at(-1);
      if (page.length < BATCH) break;
    }
    if (begun > 0) void this.worker.wake(subscriptionId);
    return begun;
  }

  private page({ from, to }: ReplayRange, after?: RangePush): Promise<RangePush[]> {
    return this.database.read((manager) => {
      const select = manager
        .createQueryBuilder(CallbackEvent, 'push')
        .select(
          [
            'id',
            'receivedAt',
            'kind',
            'componentAppId',
            'authorizerAppId',
            'infoType',
            'msgType',
            'event',
          ].map((name) => `push.${name}`),
        )
        .where('push.receivedAt >= :from AND push.receivedAt < :to', { from, to })
        .orderBy('push.receivedAt', 'ASC')
        .addOrderBy('push.id', 'ASC')
        .limit(BATCH);
      if (after) {
        select.andWhere('(push.receivedAt > :at OR (push.receivedAt = :at AND push.id > :id))', {
          at: after.receivedAt,
          id: after.id,
        });
      }
      return select.getMany();
    });
  }

  private async begin(
    subscription: Subscription,
    pushes: RangePush[],
    status: ReplayRange['status'],
  ): Promise<number> {
    if (pushes.length === 0) return 0;
    return this.database.transaction(async (manager) => {
      const known = await deliveriesOf(subscription.id, pushes, manager);
      const again = known.filter((row) =>
        status === 'all' ? row.status !== 'pending' : row.status === status,
      );
      await this.rearm(again, manager);
      const begun = new Set(known.map(({ eventId }) => eventId));
      const missing = status === 'all' ? pushes.filter(({ id }) => !begun.has(id)) : [];
      const rows = missing.map((push) => this.newRow(subscription, push));
      await this.store.insert(rows, manager);
      return again.length + rows.length;
    });
  }

  private async rearm(rows: { id: string }[], manager: EntityManager): Promise<void> {
    if (rows.length === 0) return;
    await manager.query(
      `UPDATE delivery SET status = 'pending', attempts = 0, next_attempt_at = ?,
       lease_owner = NULL, finished_at = NULL
       WHERE status <> 'pending' AND id IN (${marks(rows.length)})`,
      [this.clock.now(), ...rows.map(({ id }) => id)],
    );
  }

  private newRow(subscription: Subscription, push: RangePush): NewDelivery {
    const now = this.clock.now();
    return {
      id: uuidv7(),
      eventId: push.id,
      subscriptionId: subscription.id,
      orderKey: orderKeyOf(subscription, push),
      nextAttemptAt: now,
      leased: false,
      createdAt: now,
    };
  }
}

async function deliveriesOf(
  subscriptionId: string,
  pushes: RangePush[],
  manager: EntityManager,
): Promise<{ id: string; eventId: string; status: string }[]> {
  return manager.query(
    `SELECT id, event_id AS eventId, status FROM delivery
     WHERE subscription_id = ? AND event_id IN (${marks(pushes.length)})`,
    [subscriptionId, ...pushes.map(({ id }) => id)],
  );
}
