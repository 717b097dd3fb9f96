import { PUSH_KINDS } from '../callback/push.js';
import { z } from 'zod';
import { componentFields, nameText } from '../config/variables.js';
import { timeQuery, timeView } from '../http/field-schemas.js';
import { errorOf, problemView } from '../http/problem-view.js';
import {
  MAX_BUDGET_MS,
  SUBSCRIPTION_FORMATS,
  SUBSCRIPTION_MODES,
  type Subscription,
} from './subscription.js';
import { previousSecretUntil } from './webhook-signature.js';
import { isoTime } from '../common/times.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

const appid = z.string().min(1).max(64);
const kind = z.enum(PUSH_KINDS);

/** The fields that an administrator sets. */
const fields = {
  name: nameText(191),
  url: z.string().min(1).max(2048).describe('http or https, without user and password'),
  mode: z
    .enum(SUBSCRIPTION_MODES)
    .describe('responder: its answer becomes the passive reply; subscriber: notified afterwards'),
  format: z
    .enum(SUBSCRIPTION_FORMATS)
    .describe(
      'json: a JSON view with the raw text in it; raw: the text as it came; wechat: as WeChat ' +
        'posts it, encrypted again for the server of an SDK',
    ),
  componentAppId: appid.nullable().describe('Only pushes of this platform; null for all'),
  authorizerAppId: appid.nullable().describe('Only pushes of this account; null for all'),
  kinds: z.array(kind).min(1).max(3).nullable().describe('null for all'),
  types: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(200)
    .nullable()
    .describe('Values of InfoType, MsgType or Event, as WeChat spells them; null for all'),
  ordered: z.boolean().describe('Deliver the pushes of one account one after another'),
  lateReply: z.boolean().describe('Send a reply that comes too late as a customer-service message'),
  splitText: z
    .boolean()
    .describe('Send what a text is too long by as customer-service messages; else it is cut'),
  budgetMs: z
    .int()
    .min(100)
    .max(MAX_BUDGET_MS)
    .describe("Milliseconds from a message's arrival for which a responder is waited for"),
  enabled: z.boolean(),
};

/** Of the format wechat; write-only. */
const keys = {
  token: componentFields.token.describe('Token of the format wechat'),
  encodingAesKey: componentFields.encodingAesKey.describe('EncodingAESKey of the format wechat'),
};

const newFields = {
  ...fields,
  token: keys.token.optional(),
  encodingAesKey: keys.encodingAesKey.optional(),
  mode: fields.mode.default('subscriber'),
  format: fields.format.default('json'),
  componentAppId: fields.componentAppId.default(null),
  authorizerAppId: fields.authorizerAppId.default(null),
  kinds: fields.kinds.default(null),
  types: fields.types.default(null),
  ordered: fields.ordered.default(false),
  lateReply: fields.lateReply.default(false),
  splitText: fields.splitText.default(true),
  budgetMs: fields.budgetMs.default(MAX_BUDGET_MS),
  enabled: fields.enabled.default(true),
};

export const newSubscriptionBody = z.strictObject(newFields).meta({
  id: 'NewSubscription',
  example: {
    name: 'Orders',
    url: 'https://orders.example.com/wechat',
    kinds: ['message', 'event'],
  },
});

export const subscriptionChangeBody = z
  .strictObject({ ...fields, ...keys })
  .partial()
  .meta({ id: 'SubscriptionChange', example: { enabled: true } });

/** What happened with a subscription lately. */
const activityFields = {
  pending: z.int().describe('Deliveries that are still to be made'),
  lastDeliveredAt: timeView
    .nullable()
    .describe('When the newest delivery that was taken was; null where none is stored'),
  lastDay: z
    .object({ taken: z.int(), refused: z.int(), unreachable: z.int() })
    .describe('Attempts of the last 24 hours and of the hour under way; a minute may be missing'),
};
export type SubscriptionActivity = z.infer<z.ZodObject<typeof activityFields>>;

/** A subscription as `/admin/subscriptions` shows it: without its secret. */
export const subscriptionView = z
  .object({
    id: z.string(),
    ...fields,
    secretChangedAt: timeView,
    previousSecretUntil: timeView.nullable().describe('Until then both secrets sign'),
    failingSince: timeView.nullable().describe('First failure since the last success'),
    disabledAt: timeView.nullable(),
    disabledReason: z.string().nullable().describe('Why the hub disabled it'),
    disabledRemark: remarkOf('disabledReason'),
    createdAt: timeView,
    updatedAt: timeView,
    ...activityFields,
    error: problemView
      .optional()
      .describe('Why it cannot be read, so that nothing is sent to it; absent where it can'),
  })
  .meta({ id: 'Subscription' });
export type SubscriptionView = z.infer<typeof subscriptionView>;

/** The one time that its secrets are shown. */
export const subscriptionSecretView = subscriptionView
  .extend({
    secret: z.string().describe('Shown this once; `whsec_` of Standard Webhooks'),
    token: z.string().optional().describe('Of the format wechat; shown this once'),
    encodingAesKey: z.string().optional().describe('Of the format wechat; shown this once'),
  })
  .meta({ id: 'SubscriptionWithSecret' });
type SubscriptionSecretView = z.infer<typeof subscriptionSecretView>;

export const testBody = z
  .strictObject({ kind: kind.optional() })
  .optional()
  .meta({ id: 'SubscriptionTest', example: { kind: 'message' } });

/** A subscription that is not stored yet, to be tried out. */
export const draftTestBody = z
  .strictObject({ ...newFields, name: fields.name.default('A test'), kind: kind.optional() })
  .meta({
    id: 'SubscriptionDraftTest',
    example: { url: 'https://orders.example.com/wechat', kind: 'message' },
  });

const REPLAY_CHOICES = ['undelivered', 'dead', 'delivered', 'all'] as const;
/** Which pushes of a time range a replay delivers. */
export type ReplayChoice = (typeof REPLAY_CHOICES)[number];
const replayChoice = z
  .enum(REPLAY_CHOICES)
  .default('all')
  .describe(
    'undelivered: the dead ones, those that wait after a failure, and those without a delivery, ' +
      'because it did not exist then or was disabled; all: these, the delivered and the cancelled',
  );

const replayRange = { from: timeQuery, to: timeQuery, status: replayChoice };
/** Says nothing of a time that is none: that is said by itself. */
const isForward = ({ from, to }: { from: string; to: string }): boolean =>
  !(Date.parse(from) >= Date.parse(to));
const FORWARD = { path: ['to'], error: 'must be later than from' };

export const previewBody = z
  .strictObject({
    subscription: z
      .string()
      .min(1)
      .max(36)
      .optional()
      .describe('Id; else the filter is that of one that is not stored'),
    mode: newFields.mode,
    componentAppId: newFields.componentAppId,
    authorizerAppId: newFields.authorizerAppId,
    kinds: newFields.kinds,
    types: newFields.types,
    ...replayRange,
  })
  .refine(isForward, FORWARD)
  .meta({
    id: 'SubscriptionPreview',
    example: { kinds: ['message'], from: '2026-11-22T08:00:00Z', to: '2026-11-22T09:00:00Z' },
  });

export const previewView = z
  .object({
    pushes: z.int().describe('Pushes of the time range that the filter means'),
    replayed: z.int().describe('Deliveries that a replay would begin'),
    complete: z.boolean().describe('false: there are more than were looked at'),
  })
  .meta({ id: 'SubscriptionPreviewed' });

export const replayBody = z
  .strictObject(replayRange)
  .refine(isForward, FORWARD)
  .meta({
    id: 'SubscriptionReplay',
    example: { from: '2026-11-22T08:00:00Z', to: '2026-11-22T09:00:00Z' },
  });

export const replayedView = z
  .object({
    replayed: z.int().describe('Deliveries that were begun again'),
  })
  .meta({ id: 'Replayed' });

export function toSubscriptionView(
  subscription: Subscription,
  activity: SubscriptionActivity,
): SubscriptionView {
  const { format, disabledReason, problem } = subscription;
  // Named one by one: what a row comes to hold later is not shown before somebody decides so.
  return {
    id: subscription.id,
    name: subscription.name,
    url: subscription.url,
    mode: subscription.mode,
    format,
    componentAppId: subscription.componentAppId,
    authorizerAppId: subscription.authorizerAppId,
    kinds: subscription.kinds,
    types: subscription.types,
    ordered: subscription.ordered,
    lateReply: subscription.lateReply,
    splitText: subscription.splitText,
    budgetMs: subscription.budgetMs,
    enabled: subscription.enabled,
    secretChangedAt: isoTime(subscription.secretChangedAt),
    previousSecretUntil: format === 'wechat' ? null : isoTime(previousSecretUntil(subscription)),
    failingSince: isoTime(subscription.failingSince),
    disabledAt: isoTime(subscription.disabledAt),
    disabledReason,
    disabledRemark: toRemarkView(disabledReason),
    createdAt: isoTime(subscription.createdAt),
    updatedAt: isoTime(subscription.updatedAt),
    ...activity,
    ...errorOf(problem),
  };
}

/** With its secrets, which the caller has just made. */
export function toSubscriptionSecretView(
  subscription: Subscription,
  activity: SubscriptionActivity,
): SubscriptionSecretView {
  const { format, secret, token, encodingAesKey } = subscription;
  return {
    ...toSubscriptionView(subscription, activity),
    secret: secret.reveal(),
    ...(format === 'wechat' && {
      token: token?.reveal(),
      encodingAesKey: encodingAesKey?.reveal(),
    }),
  };
}

export const subscriptionViewExample: SubscriptionView = {
  id: '0199a3ef-0000-7a54-9c1d-aabbccddeeff',
  name: 'Orders',
  url: 'https://orders.example.com/wechat',
  mode: 'subscriber',
  format: 'json',
  componentAppId: null,
  authorizerAppId: null,
  kinds: ['message', 'event'],
  types: null,
  ordered: false,
  lateReply: false,
  splitText: true,
  budgetMs: 4500,
  enabled: true,
  secretChangedAt: '2026-11-22T08:00:00.000Z',
  previousSecretUntil: null,
  failingSince: null,
  disabledAt: null,
  disabledReason: null,
  disabledRemark: null,
  createdAt: '2026-11-22T08:00:00.000Z',
  updatedAt: '2026-11-22T08:00:00.000Z',
  pending: 0,
  lastDeliveredAt: '2026-11-22T08:00:00.000Z',
  lastDay: { taken: 1200, refused: 3, unreachable: 0 },
};
