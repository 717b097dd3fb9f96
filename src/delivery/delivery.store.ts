import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { v4 as uuidv4 } from 'uuid';
import { Clock } from '../common/clock.js';
import { CLOCK_SLACK_MS } from '../common/clock-trust.js';
import { Database } from '../database/database.js';
import { marks, piecesOf } from '../database/sql.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryRow, type DeliveryStatus } from './delivery.entity.js';
import { DELIVERY_POLICY } from './delivery-policy.js';

/** Rows that one statement inserts. */
const INSERT_BATCH = 500;
/** Deliveries that one statement cancels. */
const CANCELLED_AT_ONCE = 500;
/** Deliveries that one statement removes. */
const REMOVED_AT_ONCE = 500;
/** Candidates that are looked at for each one that is wanted: other hosts want them too. */
const CANDIDATES = 3;
/** Due deliveries of ordered subscriptions that one look takes in. */
const ORDERED_PAGE = 200;
const CLAIM_COLUMNS = 'id, event_id, order_key, attempts, created_at, replayed_at';

/** A delivery that begins. */
export interface NewDelivery {
  id: string;
  eventId: string;
  subscriptionId: string;
  orderKey: string | null;
  nextAttemptAt: number;
  /** Whether this process has it in hand until then. */
  leased: boolean;
  createdAt: number;
  /** When a replay has begun it; absent where its push has. */
  replayedAt?: number;
}

/** A delivery that was taken up. */
export interface ClaimedDelivery {
  id: string;
  eventId: string;
  orderKey: string | null;
  attempts: number;
  /** When its push, or a replay, has begun it, in Unix milliseconds. */
  begunAt: number;
  /** Whether a replay has begun it. */
  replayed: boolean;
}

/** What a claim has found. */
export interface Claim {
  claimed: ClaimedDelivery[];
  /** Whether more may be due. */
  more: boolean;
}

/** Times of a claim in Unix milliseconds: what is due at `now` is leased until `until`. */
export interface ClaimTime {
  now: number;
  until: number;
}

/**
 * Rows of `delivery`: begun with their push, taken up by one process at a time. All locks are
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
    for (const piece of piecesOf(rows, INSERT_BATCH)) {
      await manager.query(
        'INSERT INTO delivery (id, event_id, subscription_id, order_key, status, attempts, ' +
          'next_attempt_at, lease_owner, created_at, replayed_at) VALUES ' +
          piece.map(() => `(?, ?, ?, ?, 'pending', 0, ?, ?, ?, ?)`).join(', '),
        piece.flatMap((row) => [
          row.id,
          row.eventId,
          row.subscriptionId,
          row.orderKey,
          row.nextAttemptAt,
          row.leased ? this.owner : null,
          row.createdAt,
          row.replayedAt ?? null,
        ]),
      );
    }
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

  /** Takes up what is due for a subscription whose order does not matter. */
  async claim(
    subscriptionId: string,
    limit: number,
    { now, until }: ClaimTime,
    inHand: (id: string) => boolean,
  ): Promise<Claim> {
    return this.database.transaction(async (manager) => {
      const due: { id: string }[] = await manager.query(
        `SELECT id FROM delivery WHERE subscription_id = ? AND status = 'pending'
         AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ${limit * CANDIDATES}`,
        [subscriptionId, now],
      );
      const wanted = due.map(({ id }) => id).filter((id) => !inHand(id));
      const claimed = await this.lockDue(wanted, limit, now, manager);
      await this.lease(claimed, until, manager);
      return { claimed, more: claimed.length > 0 && due.length > limit };
    });
  }

  /**
   * Takes up what is due for an ordered subscription: of each key the oldest that is pending, if it
   * is due. The others of the key are put off until then, so that they are not looked at again
   * and again.
   */
  async claimOrdered(
    subscriptionId: string,
    limit: number,
    { now, until }: ClaimTime,
    inHand: (id: string) => boolean,
  ): Promise<Claim> {
    return this.database.transaction(async (manager) => {
      const due: { id: string; order_key: string | null }[] = await manager.query(
        `SELECT id, order_key FROM delivery WHERE subscription_id = ? AND status = 'pending'
         AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ${ORDERED_PAGE}`,
        [subscriptionId, now],
      );
      // Those without a key are from before the subscription asked for order.
      const loose = due.filter((row) => row.order_key === null && !inHand(row.id));
      const claimed = await this.lockDue(idsOf(loose), limit, now, manager);
      const keys = [...new Set(due.flatMap((row) => row.order_key ?? []))];
      let putOff = 0;
      for (const key of keys.slice(0, limit)) {
        const head = await this.headOf(key, manager);
        if (!head) continue;
        const free = head.nextAttemptAt <= now;
        const [taken] =
          free && !inHand(head.id) ? await this.lockDue([head.id], 1, now, manager) : [];
        if (taken) claimed.push(taken);
        const behind = due.filter((row) => row.order_key === key && row.id !== head.id);
        await this.putOff(behind, free ? until : head.nextAttemptAt, manager);
        putOff += behind.length;
      }
      await this.lease(claimed, until, manager);
      const left = keys.length > limit || due.length === ORDERED_PAGE;
      return { claimed, more: left && claimed.length + putOff > 0 };
    });
  }

  /**
   * Takes up the oldest pending delivery of a key when the one before it has ended, unless somebody
   * has it in hand. When it was to be tried does not matter: it was put off for the one before it.
   */
  async claimNext(orderKey: string, { now, until }: ClaimTime): Promise<ClaimedDelivery[]> {
    // Waits for a lock where the other claims skip: who has it may be putting it off.
    const lock = this.database.dialect === 'mysql' ? 'FOR UPDATE' : '';
    return this.database.transaction(async (manager) => {
      const head = await this.headOf(orderKey, manager);
      const rows: ClaimRow[] = await manager.query(
        `SELECT ${CLAIM_COLUMNS} FROM delivery WHERE id = ?
         AND status = 'pending' AND (lease_owner IS NULL OR next_attempt_at <= ?) ${lock}`,
        [head?.id ?? '', now],
      );
      const claimed = rows.map(toClaimed);
      await this.lease(claimed, until, manager);
      return claimed;
    });
  }

  /**
   * Makes those due that have waited for one that was delivered out of turn, if it was the first of
   * its key.
   * @returns whether the next one can be taken up at once.
   */
  async releaseBehind(
    { id, orderKey }: { id: string; orderKey: string },
    now: number,
    manager: EntityManager,
  ): Promise<boolean> {
    // So many are enough to go on with: each takes up the next, whenever that one was to be tried.
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

  /** Ends deliveries that nobody is to have any more. */
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
    const far = now + Math.max(...retryDelays) * retryAfterFactor + CLOCK_SLACK_MS;
    const rows: { id: string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT id FROM delivery WHERE subscription_id = ? AND status = 'pending'
         AND next_attempt_at > ? LIMIT ${INSERT_BATCH}`,
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

  /** A subscription's deliveries of these pushes. */
  ofPushes(
    subscriptionId: string,
    eventIds: string[],
    manager: EntityManager,
  ): Promise<{ id: string; eventId: string; status: DeliveryStatus }[]> {
    return manager.query(
      `SELECT id, event_id AS eventId, status FROM delivery
       WHERE subscription_id = ? AND event_id IN (${marks(eventIds.length)})`,
      [subscriptionId, ...eventIds],
    );
  }

  /** Begins again deliveries that have ended, by a replay at a time in Unix milliseconds. */
  async rearm(ids: string[], now: number, manager: EntityManager): Promise<void> {
    if (ids.length === 0) return;
    await manager.query(
      `UPDATE delivery SET status = 'pending', attempts = 0, next_attempt_at = ?,
       lease_owner = NULL, finished_at = NULL, replayed_at = ?
       WHERE status <> 'pending' AND id IN (${marks(ids.length)})`,
      [now, now, ...ids],
    );
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

  /** Those of `ids` that are due as they stand now and that no other transaction is taking. */
  private async lockDue(
    ids: string[],
    limit: number,
    now: number,
    manager: EntityManager,
  ): Promise<ClaimedDelivery[]> {
    if (ids.length === 0) return [];
    const lock = this.database.dialect === 'mysql' ? 'FOR UPDATE SKIP LOCKED' : '';
    const rows: ClaimRow[] = await manager.query(
      `SELECT ${CLAIM_COLUMNS} FROM delivery WHERE id IN (${marks(ids.length)})
       AND status = 'pending' AND next_attempt_at <= ? ORDER BY id LIMIT ${limit} ${lock}`,
      [...ids, now],
    );
    return rows.map(toClaimed);
  }

  private async lease(
    claimed: ClaimedDelivery[],
    until: number,
    manager: EntityManager,
  ): Promise<void> {
    if (claimed.length === 0) return;
    await manager.query(
      `UPDATE delivery SET lease_owner = ?, next_attempt_at = ?
       WHERE id IN (${marks(claimed.length)})`,
      [this.owner, until, ...claimed.map(({ id }) => id)],
    );
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

interface ClaimRow {
  id: string;
  event_id: string;
  order_key: string | null;
  attempts: number;
  created_at: number | string;
  replayed_at: number | string | null;
}

function idsOf(rows: { id: string }[]): string[] {
  return rows.map(({ id }) => id);
}

function toClaimed(row: ClaimRow): ClaimedDelivery {
  const { id, event_id: eventId, order_key: orderKey, attempts, replayed_at: replayedAt } = row;
  const begunAt = Number(replayedAt ?? row.created_at);
  return { id, eventId, orderKey, attempts, begunAt, replayed: replayedAt !== null };
}
