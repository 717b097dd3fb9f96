import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { Push } from '../callback/push.js';
import { OnRecorded, type AfterCommit } from '../callback/push-handlers.js';
import { Clock } from '../common/clock.js';
import type { DeliveryJob } from './delivery.job.js';
import { DeliveryStore, factsOf, type NewDelivery } from './delivery.store.js';
import { DeliveryWorker } from './delivery.worker.js';
import { ResponderService } from './responder.service.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { orderKeyOf, recipientsOf, type Subscription } from '../subscription/subscription.js';

/** Deliveries of pushes that are being recorded, and who goes on with them. */
interface Plan {
  rows: NewDelivery[];
  /** WeChat waits for what their responder answers. */
  awaited: DeliveryJob[];
  /** Handed over from memory as soon as they are durable: no claim, no reading of what was sent. */
  handedOver: DeliveryJob[];
  /** Subscriptions whose deliveries are claimed from the database. */
  claimed: Set<string>;
  /** How much more can be handed over: deliveries of each subscription, and text in all. */
  space: Map<string, number>;
  textSpace: number;
}

/** Begins a push's deliveries in the transaction that records it: there is no push without them. */
@Injectable()
export class DeliveryRecorder {
  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly store: DeliveryStore,
    private readonly worker: DeliveryWorker,
    private readonly responders: ResponderService,
    private readonly clock: Clock,
  ) {}

  @OnRecorded(true)
  async begin(pushes: Push[], manager: EntityManager): Promise<AfterCommit | void> {
    const subscriptions = await this.subscriptions.list();
    const { rows, awaited, handedOver, claimed } = this.plan(pushes, subscriptions);
    if (rows.length === 0) return undefined;
    await this.store.insert(rows, manager);
    return async () => {
      // Not before: what is a repetition, or is not recorded, is never asked about.
      for (const job of awaited) this.responders.expect(job);
      this.worker.accept(handedOver);
      await Promise.all([...claimed].map((id) => this.worker.wake(id)));
    };
  }

  private plan(pushes: Push[], subscriptions: Subscription[]): Plan {
    const { textSpace } = this.worker;
    const plan: Plan = {
      rows: [],
      awaited: [],
      handedOver: [],
      claimed: new Set(),
      space: new Map(),
      textSpace,
    };
    for (const push of pushes) {
      for (const subscription of recipientsOf(subscriptions, push)) {
        this.add(plan, push, subscription);
      }
    }
    return plan;
  }

  private add(plan: Plan, push: Push, subscription: Subscription): void {
    const { id: subscriptionId, mode, problem } = subscription;
    const deliveryId = uuidv7();
    const orderKey = orderKeyOf(subscription, push);
    const left = plan.space.get(subscriptionId) ?? this.worker.queueSpace(subscriptionId);
    // A message without an account came to the platform's own URL, which is answered at once.
    const isAwaited = mode === 'responder' && !problem && push.authorizerAppId !== null;
    const fits = left > 0 && push.text.length <= plan.textSpace;
    const inHand = isAwaited || (orderKey === null && fits);
    const now = this.clock.now();
    const leaseUntil = this.worker.leaseEnd();
    plan.rows.push({
      id: deliveryId,
      eventId: push.id,
      subscriptionId,
      orderKey,
      nextAttemptAt: inHand ? leaseUntil : now,
      leased: inHand,
      createdAt: now,
      facts: factsOf(push),
    });
    const begun = { attempts: 0, begunAt: now };
    const job = { deliveryId, subscriptionId, orderKey, ...begun, leaseUntil, push };
    if (isAwaited) plan.awaited.push(job);
    else if (inHand) {
      plan.handedOver.push(job);
      plan.space.set(subscriptionId, left - 1);
      plan.textSpace -= push.text.length;
    } else plan.claimed.add(subscriptionId);
  }
}
