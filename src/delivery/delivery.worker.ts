import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Background, drain } from '../common/background.js';
import { PushStore } from '../callback/push.store.js';
import { Clock } from '../common/clock.js';
import { AttemptService } from './attempt.service.js';
import type { DeliveryRow } from './delivery.entity.js';
import type { DeliveryJob } from './delivery.job.js';
import { DeliveryLanes } from './delivery.lanes.js';
import { DELIVERY_POLICY } from './delivery-policy.js';
import { DeliveryResults } from './delivery.results.js';
import { DeliveryStore, type Wanted } from './delivery.store.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { remark } from '../common/remarks.js';

/** How often it is looked for what is due, in milliseconds. */
const TICK_MS = 1000;

/**
 * Delivers: what was handed over when its push was recorded, and what is due in the database:
 * retries, what did not fit into memory, what another process has left.
 *
 * ```
 *   recorded ──┬─ handed over ────────────┐            ┌─ delivered
 *              └─ pending ── claim ───────┼─ attempt ──┼─ pending, due later ── dead
 *                   ▲     (lease ends)    │            └─ cancelled: nothing or nobody is left
 *                   └─────────────────────┘
 * ```
 */
@Injectable()
export class DeliveryWorker implements OnModuleDestroy {
  private readonly logger = new Logger(DeliveryWorker.name);
  private readonly lanes = new DeliveryLanes(
    (job, called) => this.run(job, called),
    (job) => this.refill(job.subscriptionId),
  );
  /** Subscriptions for which the database may have something that is due. */
  private readonly due = new Set<string>();
  private readonly claiming = new Map<string, Promise<void>>();
  private readonly stop = new AbortController();
  private stopping = false;

  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly store: DeliveryStore,
    private readonly pushes: PushStore,
    private readonly attempts: AttemptService,
    private readonly results: DeliveryResults,
    private readonly clock: Clock,
    private readonly background: Background,
  ) {}

  /** When a lease that is taken now ends, in Unix milliseconds. */
  leaseEnd(): number {
    return this.clock.now() + this.attempts.timeoutMs + DELIVERY_POLICY.leaseMargin;
  }

  /** How many deliveries of a subscription {@link accept} may be given. */
  queueSpace(subscriptionId: string): number {
    // What waits in the database has come before.
    if (this.stopping || this.due.has(subscriptionId)) return 0;
    const subscription = this.subscriptions.find(subscriptionId);
    if (subscription?.problem) return 0;
    const failing = (subscription?.failingSince ?? null) !== null;
    return failing ? this.lanes.claimable(subscriptionId) : this.lanes.queueSpace(subscriptionId);
  }

  /** How much text, in characters, {@link accept} may be given in all. */
  get textSpace(): number {
    return this.lanes.textSpace;
  }

  /** Takes deliveries that are leased to this process, and with them what they deliver. */
  accept(jobs: DeliveryJob[]): void {
    for (const job of jobs) this.lanes.add(job);
  }

  @Interval('delivery-due', TICK_MS)
  tick(): Promise<void> {
    const failure = 'Due deliveries could not be looked for; tried again in a second';
    return this.background.tick('delivery-due', failure, () => this.deliverDue());
  }

  /** Claims what is due, as much as there is room for. */
  async deliverDue(): Promise<void> {
    if (this.stopping) return;
    await this.subscriptions.list();
    const due = await this.store.dueSubscriptions(this.clock.now());
    if (due.some((id) => !this.subscriptions.find(id))) await this.subscriptions.reload();
    await Promise.all(due.map((id) => this.wake(id)));
  }

  /** Something of a subscription is due, or may be; resolves when it is claimed. */
  wake(subscriptionId: string): Promise<void> {
    this.due.add(subscriptionId);
    return this.refill(subscriptionId);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    do {
      await Promise.all(this.claiming.values());
      await this.lanes.idle();
    } while (this.claiming.size > 0);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    const waiting = this.lanes.clear().map((job) => this.attempts.giveBack(job));
    await drain(
      () => this.idle(),
      () => this.stop.abort(),
      () => Promise.all([...waiting, this.lanes.idle()]),
    );
  }

  /** One claim at a time for each subscription. */
  private refill(id: string): Promise<void> {
    const running = this.claiming.get(id);
    if (running) return running;
    if (!this.mayClaim(id)) return Promise.resolve();
    const claims = this.claimWhileDue(id);
    this.claiming.set(id, claims);
    return claims;
  }

  private mayClaim(id: string): boolean {
    return this.due.has(id) && this.lanes.claimable(id) > 0 && !this.stopping;
  }

  private async claimWhileDue(id: string): Promise<void> {
    try {
      do {
        this.due.delete(id);
        await this.claim(id);
      } while (this.mayClaim(id));
    } catch (error) {
      this.due.add(id);
      this.logger.warn('Due deliveries could not be claimed; tried again in a second', error);
    } finally {
      this.claiming.delete(id);
    }
  }

  private async claim(id: string): Promise<void> {
    const subscription = this.subscriptions.find(id);
    if (!subscription?.enabled || subscription.problem) return;
    const inHand = (deliveryId: string): boolean => this.lanes.has(deliveryId);
    const times = this.claimTimes();
    const wanted = { ...times, limit: this.lanes.claimable(id), inHand };
    const { rows, more } = await this.store.claim(subscription, wanted);
    // What other hosts are claiming is looked for again at the next tick.
    if (more && rows.length > 0) this.due.add(id);
    await this.begin(rows, times.until);
  }

  private claimTimes(): Pick<Wanted, 'now' | 'until'> {
    return { now: this.clock.now(), until: this.leaseEnd() };
  }

  /** Puts claimed deliveries in their lanes, with what they deliver. */
  private async begin(rows: DeliveryRow[], leaseUntil: number): Promise<void> {
    const pushes = await this.pushes.read(rows.map(({ eventId }) => eventId));
    await Promise.all(
      rows.map(async (row) => {
        const push = pushes.get(row.eventId);
        if (!push || push instanceof Error) return this.leave(row, push);
        const { id: deliveryId, subscriptionId, orderKey, attempts, replayedAt } = row;
        this.lanes.add({
          deliveryId,
          subscriptionId,
          orderKey,
          attempts,
          replayed: replayedAt !== null,
          begunAt: begunAt(row),
          leaseUntil,
          push,
        });
      }),
    );
  }

  /** There is nothing to send: it has ended, unless its push may be read some other time. */
  private async leave(row: DeliveryRow, error?: Error): Promise<void> {
    const { id, subscriptionId, orderKey, attempts } = row;
    let ended = true;
    if (error) {
      this.logger.error("A stored push can't be read", error, { deliveryId: id });
      ended = await this.attempts.unreadable(id, { attempts, begunAt: begunAt(row) });
    } else {
      await this.attempts.cancel(id, remark('push_gone'));
    }
    if (ended && orderKey !== null) await this.next(subscriptionId, orderKey);
  }

  /** Never rejects. */
  private async run(job: DeliveryJob, called: () => void): Promise<void> {
    try {
      await this.deliver(job, called);
    } catch (error) {
      this.logger.warn('A delivery went wrong; it is claimed again', error);
    }
  }

  private async deliver(job: DeliveryJob, called: () => void): Promise<void> {
    const { deliveryId, orderKey } = job;
    const subscription = this.subscriptions.find(job.subscriptionId);
    if (!subscription) return this.attempts.cancel(deliveryId, remark('subscription_removed'));
    const { enabled, problem } = subscription;
    if (!enabled || problem || this.stopping) return this.attempts.giveBack(job);
    // It waited too long for its turn: another process may take it up while it is tried here.
    if (job.leaseUntil - this.clock.now() < this.attempts.timeoutMs) return;
    const { signal } = this.stop;
    const turn = { cause: 'schedule', signal, called } as const;
    const ended = await this.attempts.make(job, subscription, turn);
    if (!ended || orderKey === null) return;
    // This process claims nothing more: the next one with room does, at once.
    if (this.stopping) {
      await this.results.releaseBehind({ id: deliveryId, orderKey }, this.clock.now());
    } else await this.next(job.subscriptionId, orderKey);
  }

  /** Claims the one of the same account that has waited for one that has ended. */
  async next(subscriptionId: string, orderKey: string): Promise<void> {
    const subscription = this.subscriptions.find(subscriptionId);
    if (this.stopping || !subscription?.enabled || subscription.problem) return;
    const times = this.claimTimes();
    const row = await this.store.claimNext(orderKey, times);
    if (row) await this.begin([row], times.until);
  }
}

/** When a delivery's push, or its replay, has begun it, in Unix milliseconds. */
function begunAt({ replayedAt, createdAt }: DeliveryRow): number {
  return replayedAt ?? createdAt;
}
