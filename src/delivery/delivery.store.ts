import { Injectable } from '@nestjs/common';
import {
  In,
  IsNull,
  LessThanOrEqual,
  MoreThan,
  type EntityManager,
  type FindOptionsWhere,
} from 'typeorm';
import { v4 as uuidv4 } from 'uuid';
import { Clock } from '../common/clock.js';
import { latestEnd } from '../common/clock-trust.js';
import { claimDue, type Claimed } from '../database/claim.js';
import { Database } from '../database/database.js';
import { insertRows } from '../database/insert-rows.js';
import { alongIndex, idsOf, marks, piecesOf } from '../database/sql.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryRow, type DeliveryStatus } from './delivery.entity.js';
import type { FilteredPush } from '../subscription/subscription.js';
import { DELIVERY_POLICY } from './delivery-policy.js';

/** Deliveries that one statement makes due. */
const RECALLED_AT_ONCE = 500;
/** Deliveries that one statement cancels. */
const CANCELLED_AT_ONCE = 500;
/** Deliveries that one statement removes. */
const REMOVED_AT_ONCE = 500;
/** Due deliveries of ordered subscriptions that one look takes in. */
const ORDERED_PAGE = 200;

/** What of a push is copied to its deliveries. */
export type DeliveryFacts = Pick<DeliveryRow, 'componentAppId' | 'authorizerAppId' | 'type'>;

/** Length of the column for types. */
const TYPE_LENGTH = 64;

export function factsOf(push: FilteredPush): DeliveryFacts {
  const { kind, componentAppId, authorizerAppId, infoType, msgType, event } = push;
  const name = { authorization: infoType, message: msgType, event }[kind] || null;
  return { componentAppId, authorizerAppId, type: name && name.slice(0, TYPE_LENGTH) };
}

/** A delivery that begins. */
export interface NewDelivery {
  id: string;
  eventId: string;
  subscriptionId: string;
  orderKey: string | null;
  nextAttemptAt: number;
  /** Whether this process has leased it until then. */
  leased: boolean;
  createdAt: number;
  facts: DeliveryFacts;
  /** When a replay has begun it; absent where its push has. */
  replayedAt?: number;
}

/** A delivery as a replay of its push finds it. */
export interface OfPush {
  id: string;
  eventId: string;
  status: DeliveryStatus;
  /** 1 where {@link DeliveryStore.advance} has it attempted earlier. */
  waits: number;
}

/** Has failed, and nobody has leased it; with the time after which it is tried again. */
const WAITS = "status = 'pending' AND attempts > 0 AND lease_owner IS NULL AND next_attempt_at > ?";

/** What a claim looks for. */
export interface Wanted {
  limit: number;
  /** What is due at this time, in Unix milliseconds, … */
  now: number;
  /** … is leased until this one. */
  until: number;
  /** What this process works on although its lease has ended. */
  inHand: (id: string) => boolean;
}

/**
 * Rows of `delivery`: begun with their push, claimed by one process at a time. All locks are
 * taken by primary key: a range that is locked would hold up the pushes that come in.
 */
@Injectable()
export class DeliveryStore {
  /** This process, as the holder of leases. */
  readonly owner = uuidv4();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Raw statements here and below: on this path the ORM costs more than the query. */
  async insert(rows: NewDelivery[], manager: EntityManager): Promise<void> {
    const columns = rows.map((row) => ({
      id: row.id,
      event_id: row.eventId,
      subscription_id: row.subscriptionId,
      order_key: row.orderKey,
      status: 'pending',
      attempts: 0,
      next_attempt_at: row.nextAttemptAt,
      lease_owner: row.leased ? this.owner : null,
      created_at: row.createdAt,
      replayed_at: row.replayedAt ?? null,
      component_appid: row.facts.componentAppId,
      authorizer_appid: row.facts.authorizerAppId,
      type: row.facts.type,
    }));
    await insertRows(manager, 'delivery', columns);
  }

  /** Whether anything was delivered to a subscription since a time, in Unix milliseconds. */
  hasDeliveredSince(subscriptionId: string, time: number): Promise<boolean> {
    const where = { subscriptionId, status: 'delivered' as const, finishedAt: MoreThan(time) };
    return this.database.read((manager) => manager.existsBy(DeliveryRow, where));
  }

  /** Enabled subscriptions for which something is due. */
  async dueSubscriptions(now: number): Promise<string[]> {
    const rows: { id: string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT s.id AS id FROM subscription s WHERE s.enabled = ? AND EXISTS (
           SELECT 1 FROM delivery d
           WHERE d.subscription_id = s.id AND d.status = 'pending' AND d.next_attempt_at <= ?)`,
        // True, as both drivers take it in a raw statement.
        [1, now],
      ),
    );
    return rows.map(({ id }) => id);
  }

  /** Claims what is due for a subscription; the rows as they were, and whether more may be due. */
  async claim(
    { id, ordered }: { id: string; ordered: boolean },
    wanted: Wanted,
  ): Promise<Claimed<DeliveryRow>> {
    const { rows, more } = await this.database.transaction((manager) =>
      ordered
        ? this.leaseHeads(id, wanted, manager)
        : this.lease({ subscriptionId: id }, wanted, manager),
    );
    return { rows: rows.toSorted((one, other) => (one.id < other.id ? -1 : 1)), more };
  }

  /**
   * Claims the oldest pending delivery of a key when the one before it has ended, unless somebody
   * has leased it. When it was to be tried does not matter: it was put off for the one before it.
   */
  async claimNext(
    orderKey: string,
    { now, until }: Pick<Wanted, 'now' | 'until'>,
  ): Promise<DeliveryRow | null> {
    return this.database.transaction(async (manager) => {
      const id = (await this.headOf(orderKey, manager))?.id;
      if (id === undefined) return null;
      const free = [{ leaseOwner: IsNull() }, { nextAttemptAt: LessThanOrEqual(now) }];
      const where = free.map((condition) => ({ id, status: 'pending' as const, ...condition }));
      // Waits for a lock where other claims pass it over: its holder may be putting the row off.
      const row = await manager.findOne(DeliveryRow, { where, ...this.database.forUpdate });
      if (row) await manager.update(DeliveryRow, { id }, this.leaseUntil(until));
      return row;
    });
  }

  /**
   * Makes those due that have waited for one that was delivered out of turn, if it was the first of
   * its key.
   * @returns whether the next one can be claimed at once.
   */
  async releaseBehind(
    { id, orderKey }: { id: string; orderKey: string },
    now: number,
    manager: EntityManager,
  ): Promise<boolean> {
    // So many are enough to go on with: each claims the next, whenever that one was to be tried.
    const waiting: { id: string; attempts: number }[] = await manager.query(
      `SELECT id, attempts FROM delivery WHERE order_key = ? AND status = 'pending'
       ORDER BY id LIMIT ${ORDERED_PAGE}`,
      [orderKey],
    );
    const [head] = waiting;
    if (!head || head.id < id) return false;
    await manager.query(
      `UPDATE delivery SET next_attempt_at = ? WHERE status = 'pending' AND attempts = 0
       AND lease_owner IS NULL AND next_attempt_at > ? AND id IN (${marks(waiting.length)})`,
      [now, now, ...idsOf(waiting)],
    );
    return head.attempts === 0;
  }

  /** Ends deliveries that are no longer to be made. */
  async cancel(ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.database.write((manager) =>
      manager.query(
        `UPDATE delivery SET status = 'cancelled', next_attempt_at = NULL, lease_owner = NULL,
         finished_at = ? WHERE status = 'pending' AND id IN (${marks(ids.length)})`,
        [this.clock.now(), ...ids],
      ),
    );
  }

  /** Ends what was still to be delivered to a subscription that was removed. */
  async cancelOf(subscriptionId: string): Promise<void> {
    for (;;) {
      const rows: { id: string }[] = await this.database.read((manager) =>
        manager.query(
          `SELECT id FROM delivery WHERE subscription_id = ? AND status = 'pending' LIMIT ${CANCELLED_AT_ONCE}`,
          [subscriptionId],
        ),
      );
      await this.cancel(idsOf(rows));
      if (rows.length < CANCELLED_AT_ONCE) return;
    }
  }

  /**
   * Makes those due that a clock which was ahead has put off for longer than there is a wait.
   * @param now a time that is certain. @returns how many there were.
   */
  async recallFar(subscriptionId: string, now: number): Promise<number> {
    const { retryDelays, retryAfterFactor } = DELIVERY_POLICY;
    const far = latestEnd(Math.max(...retryDelays) * retryAfterFactor, now);
    const rows: { id: string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT id FROM delivery WHERE subscription_id = ? AND status = 'pending'
         AND next_attempt_at > ? LIMIT ${RECALLED_AT_ONCE}`,
        [subscriptionId, far],
      ),
    );
    if (rows.length === 0) return 0;
    await this.database.write((manager) =>
      manager.query(
        `UPDATE delivery SET next_attempt_at = ?, lease_owner = NULL WHERE status = 'pending'
         AND next_attempt_at > ? AND id IN (${marks(rows.length)})`,
        [now, far, ...idsOf(rows)],
      ),
    );
    return rows.length;
  }

  /**
   * A subscription's deliveries of these pushes; without the hint, all of a subscription are read.
   * @param now Unix milliseconds.
   */
  ofPushes(
    subscriptionId: string,
    eventIds: string[],
    now: number,
    manager: EntityManager,
  ): Promise<OfPush[]> {
    return manager.query(
      `SELECT id, event_id AS eventId, status, (${WAITS}) AS waits
       FROM delivery ${alongIndex(this.database.dialect, 'delivery_event')}
       WHERE subscription_id = ? AND event_id IN (${marks(eventIds.length)})`,
      [now, subscriptionId, ...eventIds],
    );
  }

  /**
   * Begins again deliveries that have ended, by a replay at a time in Unix milliseconds.
   * @returns how many: what is pending stays as it is.
   */
  async rearm(ids: string[], now: number, manager: EntityManager): Promise<number> {
    if (ids.length === 0) return 0;
    const result = await manager.queryRunner?.query(
      `UPDATE delivery SET status = 'pending', attempts = 0, next_attempt_at = ?,
       lease_owner = NULL, finished_at = NULL, replayed_at = ?
       WHERE status <> 'pending' AND id IN (${marks(ids.length)})`,
      [now, now, ...ids],
      true,
    );
    return result?.affected ?? 0;
  }

  /**
   * Makes pending deliveries due that have failed and wait for their next attempt.
   * @param now Unix milliseconds. @returns how many: what a process has leased stays as it is.
   */
  async advance(ids: string[], now: number, manager: EntityManager): Promise<number> {
    if (ids.length === 0) return 0;
    const result = await manager.queryRunner?.query(
      `UPDATE delivery SET next_attempt_at = ?
       WHERE ${WAITS} AND id IN (${marks(ids.length)})`,
      [now, now, ...ids],
      true,
    );
    return result?.affected ?? 0;
  }

  /** Of these pushes those that are still to be delivered to a subscription that is there. */
  async awaited(eventIds: string[], manager: EntityManager): Promise<Set<string>> {
    if (eventIds.length === 0) return new Set();
    const rows: { id: string }[] = await manager.query(
      `SELECT DISTINCT d.event_id AS id FROM delivery d
       JOIN subscription s ON s.id = d.subscription_id
       WHERE d.status = 'pending' AND d.event_id IN (${marks(eventIds.length)})`,
      eventIds,
    );
    return new Set(idsOf(rows));
  }

  /** Whether a process has leased the delivery of a push to its responder, without an attempt on record. */
  async isReplyAwaited(eventId: string): Promise<boolean> {
    const rows: unknown[] = await this.database.read((manager) =>
      manager.query(
        `SELECT 1 FROM delivery d ${alongIndex(this.database.dialect, 'delivery_event')}
         JOIN subscription s ON s.id = d.subscription_id AND s.mode = 'responder'
         WHERE d.event_id = ? AND d.status = 'pending' AND d.attempts = 0
         AND d.lease_owner IS NOT NULL`,
        [eventId],
      ),
    );
    return rows.length > 0;
  }

  /** Removes the deliveries of these pushes, with their attempts. */
  async removeOf(eventIds: string[], manager: EntityManager): Promise<void> {
    const rows: { id: string }[] = await manager.query(
      `SELECT id FROM delivery WHERE event_id IN (${marks(eventIds.length)})`,
      eventIds,
    );
    await this.remove(idsOf(rows), manager);
  }

  /** Removes the deliveries that began before a time in Unix milliseconds, whatever became of them. */
  async removeBegunBefore(time: number): Promise<void> {
    let old: { id: string }[];
    do {
      // By their ids they are in the order in which they began: the first ones show whether any is old.
      const first: { id: string; created_at: number | string }[] = await this.database.read(
        (manager) =>
          manager.query(`SELECT id, created_at FROM delivery ORDER BY id LIMIT ${REMOVED_AT_ONCE}`),
      );
      old = first.filter((row) => Number(row.created_at) < time);
      const ids = idsOf(old);
      if (ids.length > 0) await this.database.transaction((manager) => this.remove(ids, manager));
    } while (old.length === REMOVED_AT_ONCE);
  }

  /** The subscriptions that have deliveries, one look into the index for each. */
  async subscriptionIds(): Promise<string[]> {
    const ids: string[] = [];
    for (;;) {
      const [row]: { id: string }[] = await this.database.read((manager) =>
        manager.query(
          `SELECT subscription_id AS id FROM delivery WHERE subscription_id > ?
           ORDER BY subscription_id LIMIT 1`,
          [ids.at(-1) ?? ''],
        ),
      );
      if (!row) return ids;
      ids.push(row.id);
    }
  }

  private async remove(ids: string[], manager: EntityManager): Promise<void> {
    for (const piece of piecesOf(ids, REMOVED_AT_ONCE)) {
      await manager.delete(DeliveryAttempt, { deliveryId: In(piece) });
      await manager.delete(DeliveryRow, { id: In(piece) });
    }
  }

  private async headOf(
    orderKey: string,
    manager: EntityManager,
  ): Promise<{ id: string; nextAttemptAt: number } | undefined> {
    const [head]: { id: string; next_attempt_at: number | string }[] = await manager.query(
      `SELECT id, next_attempt_at FROM delivery WHERE order_key = ? AND status = 'pending'
       ORDER BY id LIMIT 1`,
      [orderKey],
    );
    return head && { id: head.id, nextAttemptAt: Number(head.next_attempt_at) };
  }

  /** Leases what is due of some deliveries. */
  private lease(
    which: FindOptionsWhere<DeliveryRow>,
    { limit, now, until, inHand }: Wanted,
    manager: EntityManager,
  ): Promise<Claimed<DeliveryRow>> {
    return claimDue(manager, {
      entity: DeliveryRow,
      where: { ...which, status: 'pending', nextAttemptAt: LessThanOrEqual(now) },
      order: 'nextAttemptAt',
      limit,
      except: ({ id }) => inHand(id),
      lease: this.leaseUntil(until),
    });
  }

  /**
   * Leases of each key the oldest delivery that is pending, if it is due. The others of the key are
   * put off until then, so that they are not looked at again and again.
   */
  private async leaseHeads(
    subscriptionId: string,
    wanted: Wanted,
    manager: EntityManager,
  ): Promise<Claimed<DeliveryRow>> {
    const { limit, now, until } = wanted;
    const due: { id: string; order_key: string | null }[] = await manager.query(
      `SELECT id, order_key FROM delivery WHERE subscription_id = ? AND status = 'pending'
       AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ${ORDERED_PAGE}`,
      [subscriptionId, now],
    );
    // Those without a key are from before the subscription asked for order.
    const loose = idsOf(due.filter((row) => row.order_key === null));
    const rows = loose.length > 0 ? await this.leaseThese(loose, wanted, manager) : [];
    const keys = [...new Set(due.flatMap((row) => row.order_key ?? []))];
    let putOff = 0;
    for (const key of keys.slice(0, limit)) {
      const head = await this.headOf(key, manager);
      if (!head) continue;
      const free = head.nextAttemptAt <= now;
      if (free) rows.push(...(await this.leaseThese([head.id], wanted, manager)));
      const behind = due.filter((row) => row.order_key === key && row.id !== head.id);
      await this.putOff(behind, free ? until : head.nextAttemptAt, manager);
      putOff += behind.length;
    }
    const left = keys.length > limit || due.length === ORDERED_PAGE;
    return { rows, more: left && rows.length + putOff > 0 };
  }

  private async leaseThese(
    ids: string[],
    wanted: Wanted,
    manager: EntityManager,
  ): Promise<DeliveryRow[]> {
    return (await this.lease({ id: In(ids) }, wanted, manager)).rows;
  }

  private leaseUntil(until: number): Pick<DeliveryRow, 'leaseOwner' | 'nextAttemptAt'> {
    return { leaseOwner: this.owner, nextAttemptAt: until };
  }

  private async putOff(
    rows: { id: string }[],
    until: number,
    manager: EntityManager,
  ): Promise<void> {
    if (rows.length === 0) return;
    await manager.query(
      `UPDATE delivery SET next_attempt_at = ? WHERE status = 'pending' AND lease_owner IS NULL
       AND next_attempt_at < ? AND id IN (${marks(rows.length)})`,
      [until, until, ...rows.map(({ id }) => id)],
    );
  }
}
