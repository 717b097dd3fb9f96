import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import { idsOf } from '../database/sql.js';
import { PushStore, type ListedPush } from '../callback/push.store.js';
import { isReleaseCheckAccount } from '../callback/release-check-accounts.js';
import type { DeliveryRow, DeliveryStatus } from './delivery.entity.js';
import { DeliveryLog, type DeliverySearch } from './delivery.log.js';
import { attemptFacts, DeliveryResults } from './delivery.results.js';
import { AttemptService } from './attempt.service.js';
import type { Attempt } from './delivery.job.js';
import { DeliveryStore, factsOf, type NewDelivery } from './delivery.store.js';
import { DeliveryWorker } from './delivery.worker.js';
import { SubscriptionRow } from '../subscription/subscription.entity.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import type { ReplayChoice } from '../subscription/subscription.views.js';
import { TICKET_INFO_TYPE } from '../ticket/ticket.js';
import {
  orderKeyOf,
  recipientsOf,
  SubscriptionUnknownError,
  type Subscription,
} from '../subscription/subscription.js';

/** Pushes that one transaction looks at. */
const BATCH = 200;
/** Pushes that a preview looks at. */
const MOST_PREVIEWED = 50_000;

/** What a replay of a range begins. */
interface ReplayMeaning {
  /** Deliveries that have ended so are begun again. */
  ended: readonly DeliveryStatus[];
  /**
   * Those that wait after a failure are attempted now, and pushes without a delivery get one: it did
   * not exist when they came, or was disabled.
   */
  open: boolean;
}

const REPLAY_CHOICES: Record<ReplayChoice, ReplayMeaning> = {
  undelivered: { ended: ['dead'], open: true },
  dead: { ended: ['dead'], open: false },
  delivered: { ended: ['delivered'], open: false },
  all: { ended: ['delivered', 'dead', 'cancelled'], open: true },
};

/** Which pushes of a subscription are delivered again. Times are Unix milliseconds. */
export interface ReplayRange {
  from: number;
  to: number;
  /** See {@link REPLAY_CHOICES}. */
  status: ReplayChoice;
}

/** What a person does with deliveries: has them made again, or ends them. */
@Injectable()
export class DeliveryReplay {
  constructor(
    private readonly database: Database,
    private readonly subscriptions: SubscriptionService,
    private readonly store: DeliveryStore,
    private readonly log: DeliveryLog,
    private readonly pushes: PushStore,
    private readonly attempts: AttemptService,
    private readonly results: DeliveryResults,
    private readonly worker: DeliveryWorker,
    private readonly clock: Clock,
  ) {}

  /**
   * Attempts one delivery now. It moves no schedule: one that fails is tried again when it would
   * have been, one that is taken has come to its end.
   * @throws {HubError} 404 `delivery_unknown` or `subscription_unknown`, 409 `push_gone` or
   * `subscription_unreadable`
   */
  async one(deliveryId: string): Promise<Attempt> {
    const row = await this.log.get(deliveryId);
    const subscription = await this.subscriptions.getReadable(row.subscriptionId);
    const push = (await this.pushes.read([row.eventId])).get(row.eventId);
    if (!push) throw new HubError('push_gone', 'The push is no longer stored', { status: 409 });
    if (push instanceof Error) throw push;
    const sent = await this.attempts.send({ deliveryId, push, subscription, cause: 'manual' });
    const attempt = attemptFacts(sent, 'manual', sent.error);
    const takenAt = sent.taken ? this.clock.now() : undefined;
    const orderKey = await this.results.saveManual(deliveryId, attempt, takenAt);
    if (orderKey !== null) await this.worker.next(subscription.id, orderKey);
    return sent;
  }

  /**
   * Begins again the deliveries of all pushes of a time range that the subscription would be notified
   * of if they arrived now and it were enabled. What waits after a failure is attempted
   * now where the choice has it, all else that is pending stays as it is.
   * @returns how many were begun.
   * @throws {SubscriptionUnknownError | SubscriptionUnreadableError}
   */
  async range(subscriptionId: string, range: ReplayRange): Promise<number> {
    const subscription = await this.subscriptions.getReadable(subscriptionId);
    const { from, to, status } = range;
    let begun = 0;
    for await (const page of this.pushes.byArrival({ from, to }, BATCH)) {
      const meant = await this.meantFor(subscription, page);
      begun += await this.begin(subscription, meant, status);
    }
    if (begun > 0) void this.worker.wake(subscriptionId);
    return begun;
  }

  /**
   * Begins the deliveries of one push to these subscriptions, whatever their filters mean; what
   * waits after a failure is attempted now, all else that is pending stays as it is.
   * @returns how many were begun.
   * @throws {HubError} 404 `subscription_unknown`, 409 `subscription_unreadable` or `push_for_hub`
   */
  async push(push: ListedPush, subscriptionIds: string[]): Promise<number> {
    if (push.infoType === TICKET_INFO_TYPE || isForHub(push)) {
      throw new HubError('push_for_hub', 'The push is for the hub alone', { status: 409 });
    }
    const subscriptions = await Promise.all(
      [...new Set(subscriptionIds)].map((id) => this.subscriptions.getReadable(id)),
    );
    let begun = 0;
    for (const subscription of subscriptions) {
      begun += await this.begin(subscription, [push], 'all');
      void this.worker.wake(subscription.id);
    }
    return begun;
  }

  /**
   * Counts what a replay of a time range would begin, and the pushes that it would look at. Ends
   * after so many that nobody waits for it long.
   * @param subscription stored or not.
   */
  async preview(
    subscription: Subscription,
    { from, to, status }: ReplayRange,
  ): Promise<{ pushes: number; replayed: number; complete: boolean }> {
    let [seen, pushes, replayed] = [0, 0, 0];
    for await (const page of this.pushes.byArrival({ from, to }, BATCH)) {
      const meant = await this.meantFor(subscription, page);
      seen += page.length;
      pushes += meant.length;
      replayed += await this.wouldBegin(subscription.id, meant, status);
      if (seen >= MOST_PREVIEWED) return { pushes, replayed, complete: false };
    }
    return { pushes, replayed, complete: true };
  }

  private async wouldBegin(
    subscriptionId: string,
    pushes: ListedPush[],
    status: ReplayChoice,
  ): Promise<number> {
    if (pushes.length === 0) return 0;
    const known = await this.database.read((manager) =>
      this.store.ofPushes(subscriptionId, idsOf(pushes), this.clock.now(), manager),
    );
    const { ended, open } = REPLAY_CHOICES[status];
    const again = known.filter((row) => ended.includes(row.status) || (open && row.waits));
    return again.length + (open ? pushes.length - known.length : 0);
  }

  /**
   * Begins again deliveries that have ended, found by a search, and has pending ones attempted now
   * that have failed. Those of a subscription that was removed, or cannot be read, are left as they
   * are.
   * @param most how many at the most. @param dryRun counts, and begins nothing.
   * @returns how many were found and begun, and where a further search begins.
   */
  async found(
    search: DeliverySearch,
    { most, dryRun }: { most: number; dryRun: boolean },
  ): Promise<{ matching: number; replayed: number; next: string | null }> {
    const known = (await this.subscriptions.list()).filter(({ problem }) => !problem);
    const receiving = new Set(idsOf(known));
    const woken = new Set<string>();
    let [matching, replayed] = [0, 0];
    let next: string | null = search.before ?? null;
    do {
      const before = next ?? undefined;
      const size = Math.min(BATCH, most - matching);
      const page = await this.log.page({ ...search, before }, size);
      const rows = page.rows.filter(({ subscriptionId }) => receiving.has(subscriptionId));
      matching += rows.length;
      if (!dryRun) {
        replayed += await this.again(idsOf(rows));
        for (const { subscriptionId } of rows) woken.add(subscriptionId);
      }
      ({ next } = page);
    } while (next !== null && matching < most);
    for (const id of woken) void this.worker.wake(id);
    return { matching, replayed, next };
  }

  /**
   * Ends a delivery that is pending. An attempt that is under way, or about to begin in a process
   * that has leased it, may still reach the target.
   * @throws {HubError} 404 `delivery_unknown`, 409 `delivery_ended`
   */
  async cancel(deliveryId: string): Promise<DeliveryRow> {
    const { subscriptionId, orderKey } = await this.log.get(deliveryId);
    const { cancelled, next } = await this.results.saveCancelled(deliveryId, this.clock.now());
    if (!cancelled) {
      throw new HubError('delivery_ended', 'The delivery is not pending', { status: 409 });
    }
    if (next && orderKey !== null) await this.worker.next(subscriptionId, orderKey);
    return this.log.get(deliveryId);
  }

  private again(ids: string[]): Promise<number> {
    const now = this.clock.now();
    return this.database.transaction(
      async (manager) =>
        // In this order: what was begun again has not failed yet.
        (await this.store.advance(ids, now, manager)) + (await this.store.rearm(ids, now, manager)),
    );
  }

  private async meantFor(subscription: Subscription, pushes: ListedPush[]): Promise<ListedPush[]> {
    const enabled = { ...subscription, enabled: true };
    const others = (await this.subscriptions.list()).filter(({ id }) => id !== subscription.id);
    const all = [...others, enabled];
    return pushes.filter((push) => !isForHub(push) && recipientsOf(all, push).includes(enabled));
  }

  private async begin(
    subscription: Subscription,
    pushes: ListedPush[],
    status: ReplayChoice,
  ): Promise<number> {
    if (pushes.length === 0) return 0;
    return this.database.transaction(async (manager) => {
      await this.lock(subscription.id, manager);
      const now = this.clock.now();
      const known = await this.store.ofPushes(subscription.id, idsOf(pushes), now, manager);
      const { ended, open } = REPLAY_CHOICES[status];
      const failing = open ? known.filter(({ waits }) => waits) : [];
      const advanced = await this.store.advance(idsOf(failing), now, manager);
      const again = known.filter((row) => ended.includes(row.status));
      await this.store.rearm(idsOf(again), now, manager);
      const begun = new Set(known.map(({ eventId }) => eventId));
      const missing = open ? pushes.filter(({ id }) => !begun.has(id)) : [];
      const rows = missing.map((push) => this.newRow(subscription, push));
      await this.store.insert(rows, manager);
      return advanced + again.length + rows.length;
    });
  }

  /** One replay at a time: what another one begins must be seen here. */
  private async lock(id: string, manager: EntityManager): Promise<void> {
    const options = { where: { id }, ...this.database.forUpdate };
    if (!(await manager.findOne(SubscriptionRow, options))) throw new SubscriptionUnknownError(id);
  }

  private newRow(subscription: Subscription, push: ListedPush): NewDelivery {
    const now = this.clock.now();
    return {
      id: uuidv7(),
      eventId: push.id,
      subscriptionId: subscription.id,
      orderKey: orderKeyOf(subscription, push),
      nextAttemptAt: now,
      leased: false,
      createdAt: now,
      facts: factsOf(push),
      replayedAt: now,
    };
  }
}

/** Messages of the release check are; that its accounts were authorized is everybody's. */
function isForHub({ kind, authorizerAppId }: ListedPush): boolean {
  return kind !== 'authorization' && isReleaseCheckAccount(authorizerAppId);
}
