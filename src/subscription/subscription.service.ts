import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HeldCopy } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import {
  SubscriptionStore,
  type NewSecrets,
  type SubscriptionValues,
} from './subscription.store.js';
import {
  FilterUnreadableError,
  MAX_BUDGET_MS,
  SubscriptionUnknownError,
  SubscriptionUnreadableError,
  type PushFilter,
  type Subscription,
} from './subscription.js';
import { TargetLookup } from '../webhook/target-lookup.js';
import { newCallbackToken, newEncodingAesKey } from './callback-keys.js';
import { newWebhookSecret } from './webhook-signature.js';

/** A change on another host is live here within this time, in milliseconds. */
const MAX_AGE_MS = 8000;
const REFRESH_AFTER_MS = 5000;
/** In place of the id of one that is not stored. */
const DRAFT_ID = 'unsaved';

const DRAFT_VALUES = {
  token: null,
  encodingAesKey: null,
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

  /** One of those that {@link list} gave last, enabled or not, without waiting. */
  find(id: string): Subscription | undefined {
    return this.copy.last?.find((one) => one.id === id);
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

  /**
   * A Token and a key that WeChat's format needs and `values` lacks are made.
   * @throws {HubError} 400 `target_refused` or `subscription_invalid`
   */
  async add(values: SubscriptionValues): Promise<Subscription> {
    const { whole, secret } = withSecrets(values);
    this.check(whole, values);
    const id = await this.store.add(whole, secret);
    await this.copy.reload();
    return this.get(id);
  }

  /** One that is not stored, with a secret of its own. @throws {HubError} as {@link add} */
  draft(values: SubscriptionValues): Subscription {
    const { whole, secret } = withSecrets(values);
    this.check(whole, values);
    const now = this.clock.now();
    return {
      ...whole,
      id: DRAFT_ID,
      secret,
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
    const changed = await this.store.change(id, change, (after) => this.check(after, change));
    if (!changed) throw new SubscriptionUnknownError(id);
    await this.copy.reload();
    return this.get(id);
  }

  /** @throws {SubscriptionUnknownError} */
  async rotateSecret(id: string): Promise<Subscription> {
    if (!(await this.store.rotateSecret(id, newSecrets()))) throw new SubscriptionUnknownError(id);
    await this.copy.reload();
    return this.get(id);
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

  /** @param given what the caller has said of it now. */
  private check(after: SubscriptionValues, given: Partial<SubscriptionValues>): void {
    const { url, mode, ordered, kinds } = after;
    this.targets.parse(url);
    checkKeys(after, given);
    if (mode !== 'responder') return;
    if (ordered) throw invalid('A responder is called at once: it cannot be ordered');
    if (kinds?.includes('authorization')) {
      throw invalid('Authorization events have no reply: a responder cannot have them');
    }
  }
}

/** WeChat's format has a Token and a key, and one platform: an SDK's server knows no other. */
function checkKeys(after: SubscriptionValues, given: Partial<SubscriptionValues>): void {
  if (after.format !== 'wechat') {
    if (!given.token && !given.encodingAesKey) return;
    throw invalid('token and encodingAesKey are for the format wechat');
  }
  if (after.componentAppId === null) {
    throw invalid('The format wechat is for one platform: componentAppId must name it');
  }
  if (after.token && after.encodingAesKey) return;
  throw invalid('The format wechat needs token and encodingAesKey: they must come with it');
}

/** With what its format needs and the caller has not given. */
function withSecrets(values: SubscriptionValues): { whole: SubscriptionValues; secret: Secret } {
  const { secret, ...made } = newSecrets();
  const { token, encodingAesKey } = values.format === 'wechat' ? made : NO_KEYS;
  const whole = {
    ...values,
    token: values.token ?? token,
    encodingAesKey: values.encodingAesKey ?? encodingAesKey,
  };
  return { whole, secret };
}

const NO_KEYS = { token: null, encodingAesKey: null };

function newSecrets(): NewSecrets {
  return {
    secret: newWebhookSecret(),
    token: newCallbackToken(),
    encodingAesKey: newEncodingAesKey(),
  };
}

function invalid(message: string): HubError {
  return new HubError('subscription_invalid', message, { status: 400 });
}
