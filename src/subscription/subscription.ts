import type { Push, PushKind } from '../callback/push.js';
import { PUSH_BUDGET } from '../callback/push-budget.js';
import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import { TICKET_INFO_TYPE } from '../ticket/ticket.js';
import type { Failing } from './failing.js';

/** Longest that WeChat is kept waiting for a responder, from the message's arrival, in milliseconds. */
export const MAX_BUDGET_MS = PUSH_BUDGET.replyFoundBy;

/** `responder`: its answer becomes the passive reply. `subscriber`: notified afterwards. */
export const SUBSCRIPTION_MODES = ['responder', 'subscriber'] as const;
export type SubscriptionMode = (typeof SUBSCRIPTION_MODES)[number];

/**
 * `json`: a JSON view with the raw text in it. `raw`: the text as it came. `wechat`: as WeChat posts
 * it, encrypted again with a Token and key of the subscription's own, for the server of an SDK.
 */
export const SUBSCRIPTION_FORMATS = ['json', 'raw', 'wechat'] as const;
export type SubscriptionFormat = (typeof SUBSCRIPTION_FORMATS)[number];

/** Which pushes are meant; null stands for all. */
export interface PushFilter {
  componentAppId: string | null;
  authorizerAppId: string | null;
  kinds: PushKind[] | null;
  /** Values of InfoType, MsgType or Event, in WeChat's spelling. */
  types: string[] | null;
}

/** Who is notified of which pushes, and how. Times are Unix milliseconds. */
export interface Subscription extends PushFilter, Failing {
  id: string;
  name: string;
  url: string;
  mode: SubscriptionMode;
  format: SubscriptionFormat;
  /** Whether the pushes of one account are delivered one after another. */
  ordered: boolean;
  /** Whether a responder's reply that comes too late is sent as a customer-service message. */
  lateReply: boolean;
  /** Whether what a passive reply has no room for is sent as customer-service messages. */
  splitText: boolean;
  /** Milliseconds from a message's arrival within which a responder's answer is waited for. */
  budgetMs: number;
  enabled: boolean;
  /** `whsec_…` of Standard Webhooks. */
  secret: Secret;
  /** The secret before the last change; null where there was none. */
  previousSecret: Secret | null;
  secretChangedAt: number;
  /** What signs and encrypts in WeChat's format; null where there was never one. */
  token: Secret | null;
  /** 43 characters, as WeChat has it. */
  encodingAesKey: Secret | null;
  disabledAt: number | null;
  disabledReason: string | null;
  createdAt: number;
  updatedAt: number;
  /**
   * Why its row cannot be read: nothing is sent to it until it is repaired. Without a readable
   * secret what it is meant to have waits for it; without a readable filter it has none.
   */
  problem: HubError | undefined;
}

/** What a filter looks at. */
export type FilteredPush = Pick<
  Push,
  'kind' | 'componentAppId' | 'authorizerAppId' | 'infoType' | 'msgType' | 'event'
>;

/** No subscription of that id (404). */
export class SubscriptionUnknownError extends HubError {
  constructor(id: string) {
    super('subscription_unknown', 'There is no such subscription', {
      status: 404,
      details: { subscriptionId: id.slice(0, 64) },
    });
  }
}

/** A list of its filter is none in the row (500). */
export class FilterUnreadableError extends HubError {
  constructor(column: 'kinds' | 'types') {
    super('list_unreadable', `The list in subscription.${column} can't be read`, { status: 500 });
  }
}

/** It cannot be read, so nothing can be sent to it (409). */
export class SubscriptionUnreadableError extends HubError {
  constructor(id: string, cause: HubError) {
    super('subscription_unreadable', `The subscription can't be read: ${cause.message}`, {
      status: 409,
      details: { subscriptionId: id },
    });
  }
}

/** A filter, and the format that tickets go by. */
export type FormattedFilter = PushFilter & Pick<Subscription, 'format'>;

/**
 * Whether a push is among those that a filter means. Tickets are the hub's own: only WeChat's format
 * has them, with a stand-in for the ticket, since an SDK calls nothing before it has one.
 */
export function matches(filter: FormattedFilter, push: FilteredPush): boolean {
  const { componentAppId, authorizerAppId, kinds, types } = filter;
  if (push.infoType === TICKET_INFO_TYPE && filter.format !== 'wechat') return false;
  if (componentAppId !== null && componentAppId !== push.componentAppId) return false;
  if (authorizerAppId !== null && authorizerAppId !== push.authorizerAppId) return false;
  if (kinds !== null && !kinds.includes(push.kind)) return false;
  if (types === null) return true;
  const names = [push.infoType, push.msgType, push.event];
  return names.some((name) => name !== null && name !== '' && types.includes(name));
}

/**
 * The one responder of a message or event: of those that match, the one that names the account,
 * before one that names the platform, before one for all; of several such, the oldest.
 */
export function responderOf(
  subscriptions: Subscription[],
  push: FilteredPush,
): Subscription | undefined {
  if (push.kind === 'authorization') return undefined;
  return subscriptions
    .filter((one) => one.enabled && one.mode === 'responder' && matches(one, push))
    .toSorted((a, b) => specificity(b) - specificity(a) || a.createdAt - b.createdAt)[0];
}

/** All that are notified of a push: every subscriber that matches, and its responder. */
export function recipientsOf(subscriptions: Subscription[], push: FilteredPush): Subscription[] {
  const responder = responderOf(subscriptions, push);
  return subscriptions.filter(
    (one) => one === responder || (one.enabled && one.mode === 'subscriber' && matches(one, push)),
  );
}

function specificity({ authorizerAppId, componentAppId }: PushFilter): number {
  return (authorizerAppId === null ? 0 : 2) + (componentAppId === null ? 0 : 1);
}

/** Deliveries of one key go one after another; null where order does not matter. */
export function orderKeyOf(
  { id, ordered }: Pick<Subscription, 'id' | 'ordered'>,
  { componentAppId, authorizerAppId }: FilteredPush,
): string | null {
  return ordered ? `${id}:${componentAppId}:${authorizerAppId ?? ''}` : null;
}
