import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HeldCopy } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import { SubscriptionStore, type SubscriptionValues } from './subscription.store.js';
import {
  FilterUnreadableError,
  MAX_BUDGET_MS,
  SubscriptionUnknownError,
  SubscriptionUnreadableError,
  type PushFilter,
  type Subscription,
} from './subscription.js';
import { TargetLookup } from '../webhook/target-lookup.js';
import { newWebhookSecret } from './webhook-signature.js';

/** A change on another host is live here within this time, in milliseconds. */
const MAX_AGE_MS = 8000;
const REFRESH_AFTER_MS = 5000;
/** In place of the id of one that is not stored. */
const DRAFT_ID = 'unsaved';

const DRAFT_VALUES = {
  name: DRAFT_ID,
  url: 'https://unsaved.invalid/',
  format: 'json',
  ordered: false,
  lateReply: false,
  splitText: true,
  budgetMs: MAX_BUDGET_MS,
  enabled: true,
} as const;

/** The subscriptions, read from memory, live on every host within 10 s. */
@Injectable()
export class SubscriptionService implements OnModuleInit {
  private readonly logger = new Logger(SubscriptionService.name);
  private readonly copy: HeldCopy<Subscription[]>;

  constructor(
    private readonly store: SubscriptionStore,
    private readonly targets: TargetLookup,
    private readonly clock: Clock,
  ) {
    this.copy = new HeldCopy(() => this.load(), clock, {
      refreshAfterMs: REFRESH_AFTER_MS,
      maxAgeMs: MAX_AGE_MS,
    });
  }

  async onModuleInit(): Promise<void> {
    try {
      await this.copy.reload();
    } catch (error) {
      this.logger.error('The subscriptions could not be read; it is tried again', error);
    }
  }

  /** All, oldest first, readable or not. */
  list(): Promise<Subscription[]> {
    return this.copy.get();
  }

  /** What {@link list} gave last, without waiting. */
  get known(): Subscription[] {
    return this.copy.last ?? [];
  }

  /** One of {@link known}, enabled or not. */
  find(id: string): Subscription | undefined {
    return this.known.find((one) => one.id === id);
  }

  /** Readable or not. @throws {SubscriptionUnknownError} */
  async get(id: string): Promise<Subscription> {
    const isIt = (one: Subscription): boolean => one.id === id;
    const found = (await this.list()).find(isIt) ?? (await this.reload()).find(isIt);
    if (!found) throw new SubscriptionUnknownError(id);
    return found;
  }

  /** One that can be sent to. @throws {SubscriptionUnknownError | SubscriptionUnreadableError} */
  async getReadable(id: string): Promise<Subscription> {
    const subscription = await this.get(id);
    const { problem } = subscription;
    if (problem) throw new SubscriptionUnreadableError(id, problem);
    return subscription;
  }

  /** Reads what is there now. */
  reload(): Promise<Subscription[]> {
    return this.copy.reload();
  }

  /** @throws {HubError} 400 `target_refused` or `subscription_invalid` */
  async add(values: SubscriptionValues): Promise<{ subscription: Subscription; secret: Secret }> {
    this.check(values);
    const secret = newWebhookSecret();
    const id = await this.store.add(values, secret);
    await this.copy.reload();
    return { subscription: await this.get(id), secret };
  }

  /** One that is not stored, with a secret of its own. @throws {HubError} as {@link add} */
  draft(values: SubscriptionValues): Subscription {
    this.check(values);
    const now = this.clock.now();
    return {
      ...values,
      id: DRAFT_ID,
      secret: newWebhookSecret(),
      previousSecret: null,
      secretChangedAt: now,
      failingSince: null,
      failedAt: null,
      failingMs: 0,
      disabledAt: null,
      disabledReason: null,
      createdAt: now,
      updatedAt: now,
      problem: undefined,
    };
  }

  /** The same of a filter alone, to count what it means. */
  draftOf(filter: PushFilter & Pick<Subscription, 'mode'>): Subscription {
    const values = { ...DRAFT_VALUES, ...filter };
    return this.draft(values);
  }

  /** @throws {HubError} 404 `subscription_unknown`, 400 `target_refused` or `subscription_invalid` */
  async change(id: string, change: Partial<SubscriptionValues>): Promise<Subscription> {
    const changed = await this.store.change(id, change, (after) => this.check(after));
    if (!changed) throw new SubscriptionUnknownError(id);
    await this.copy.reload();
    return this.get(id);
  }

  /** @throws {SubscriptionUnknownError} */
  async rotateSecret(id: string): Promise<{ subscription: Subscription; secret: Secret }> {
    const secret = newWebhookSecret();
    if (!(await this.store.rotateSecret(id, secret))) throw new SubscriptionUnknownError(id);
    await this.copy.reload();
    return { subscription: await this.get(id), secret };
  }

  /** @returns what it was. @throws {SubscriptionUnknownError} */
  async remove(id: string): Promise<Subscription> {
    const subscription = await this.get(id);
    if (!(await this.store.remove(id))) throw new SubscriptionUnknownError(id);
    await this.copy.reload();
    return subscription;
  }

  /** What is wrong with a secret the box has logged; a filter is logged here, when it goes wrong. */
  private async load(): Promise<Subscription[]> {
    const all = await this.store.all();
    const isBroken = (one?: Subscription): boolean => one?.problem instanceof FilterUnreadableError;
    for (const one of all) {
      if (!isBroken(one) || isBroken(this.find(one.id))) continue;
      const { id, name, problem } = one;
      const message = 'A subscription cannot be read; nothing is sent to it';
      this.logger.error(message, { subscriptionId: id, name, reason: problem?.message });
    }
    return all;
  }

  private check({ url, mode, ordered, kinds }: SubscriptionValues): void {
    this.targets.parse(url);
    if (mode !== 'responder') return;
    if (ordered) throw invalid('A responder is called at once: it cannot be ordered');
    if (kinds?.includes('authorization')) {
      throw invalid('Authorization events have no reply: a responder cannot have them');
    }
  }
}

function invalid(message: string): HubError {
  return new HubError('subscription_invalid', message, { status: 400 });
}
