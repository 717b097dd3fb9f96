import { z } from 'zod';
import { PUSH_KINDS } from '../callback/push.js';
import type { ListedPush } from '../callback/push.store.js';
import { pageQuery, timeQuery, timeView } from '../http/field-schemas.js';
import type { DeliveryCounts, FailingDeliveries } from '../delivery/delivery.log.js';
import {
  attemptViewExample,
  deliveryDetailView,
  deliveryViewExample,
} from '../delivery/delivery.views.js';
import { isoTime, isoTimeOfSeconds } from '../common/times.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

/** How many deliveries of a push there are, by status. */
export const deliveryCountsView = z
  .object({
    pending: z.int(),
    delivered: z.int(),
    dead: z.int(),
    cancelled: z.int(),
  })
  .meta({ id: 'DeliveryCounts' }) satisfies z.ZodType<DeliveryCounts>;

/** The deliveries of a push that are pending after attempts that failed. */
const failingView = z
  .object({
    count: z.int(),
    attempts: z.int().describe('Of the one that was tried most often'),
    nextAttemptAt: timeView.describe('Of the one that is tried next'),
    lastError: z.string().nullable().describe('Of one of them'),
    lastErrorRemark: remarkOf('lastError'),
  })
  .meta({ id: 'FailingDeliveries' });

/** A recorded push as `/admin/events` lists it: nothing of its content. */
export const eventView = z
  .object({
    id: z.string(),
    kind: z.enum(PUSH_KINDS),
    componentAppId: z.string(),
    authorizerAppId: z
      .string()
      .nullable()
      .describe('The account that it is for, or that an authorization event is about'),
    unknownAccount: z
      .boolean()
      .describe('Whether it came for an account that the hub does not know on this platform'),
    infoType: z.string().nullable(),
    msgType: z.string().nullable(),
    event: z.string().nullable(),
    fromUser: z.string().nullable().describe("FromUserName: the user's openid"),
    createTime: timeView.nullable().describe("WeChat's CreateTime"),
    receivedAt: timeView,
    problem: z
      .string()
      .nullable()
      .describe('Why its fields could not all be read; null where they could'),
    problemRemark: remarkOf('problem'),
    outcome: z.string().describe('What WeChat was answered: success, reply, or empty for no byte'),
    deliveryCounts: deliveryCountsView,
    failing: failingView.nullable().describe('Null where no delivery waits after a failure'),
  })
  .meta({ id: 'Event' });
export type EventView = z.infer<typeof eventView>;

export const eventListView = z
  .object({
    events: z.array(eventView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'EventPage' });

/** A recorded push with its content, decrypted, and what became of it. */
export const eventDetailView = eventView
  .extend({
    sourceAddress: z
      .string()
      .describe(
        'Of the sender; a reverse proxy’s, unless it is a trusted one; unknown: it had gone',
      ),
    keyUsed: z.string().describe('Which Token and key verified and decrypted it'),
    format: z.enum(['xml', 'json']).nullable(),
    fields: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe("In WeChat's spelling; tickets and codes of authorization events are `[secret]`"),
    raw: z.string().nullable().describe('The decrypted text as it came, without these either'),
    reply: z.string().nullable().describe('The passive reply, before its encryption for WeChat'),
    unreadable: z
      .object({ code: z.string(), message: z.string() })
      .nullable()
      .describe('Why the content cannot be shown; null when it can'),
    deliveries: z.array(deliveryDetailView),
  })
  .meta({ id: 'EventDetail' });
export type EventDetailView = z.infer<typeof eventDetailView>;

/** What of a push is encrypted at rest. */
export type EventContent = Pick<
  EventDetailView,
  'format' | 'fields' | 'raw' | 'reply' | 'unreadable'
>;

const name = z.string().min(1).max(64).optional();

export const eventListQuery = z.object({
  component: name,
  account: name.describe('Appid of the account of a message, or of an authorization event'),
  kind: z.enum(PUSH_KINDS).optional(),
  type: name.describe('InfoType, MsgType or Event, as WeChat spells it'),
  user: name.describe("FromUserName: the user's openid"),
  outcome: z.enum(['success', 'reply', 'empty']).optional().describe('What WeChat was answered'),
  unknownAccount: z
    .literal('true')
    .optional()
    .describe('Those that came for an account that the hub does not know on this platform'),
  delivery: z.literal('dead').optional().describe('Those of the newest 10,000 dead deliveries'),
  from: timeQuery.optional().describe('Received at this time or later'),
  to: timeQuery.optional().describe('Received before this time'),
  ...pageQuery({ most: 200, usual: 50 }),
});
export const eventDetailQuery = z.object({
  content: z
    .enum(['true', 'false'])
    .default('true')
    .transform((value) => value === 'true')
    .describe('false: decrypt nothing, and leave no record'),
});

export const eventReplayBody = z
  .strictObject({ subscriptions: z.array(z.string().min(1).max(36)).min(1).max(100) })
  .meta({
    id: 'EventReplay',
    example: { subscriptions: ['0199a3ef-0000-7a54-9c1d-aabbccddeeff'] },
  });

export type EventListQuery = z.output<typeof eventListQuery>;

export function toEventView(
  row: ListedPush,
  unknownAccount: boolean,
  counts: Partial<DeliveryCounts> = {},
  failing?: FailingDeliveries,
): EventView {
  const { id, kind, componentAppId, authorizerAppId, msgType, event, fromUser, outcome } = row;
  return {
    id,
    kind,
    componentAppId,
    authorizerAppId,
    unknownAccount,
    infoType: row.infoType || null,
    msgType,
    event,
    fromUser,
    createTime: isoTimeOfSeconds(row.createTime),
    receivedAt: isoTime(row.receivedAt),
    problem: row.problem,
    problemRemark: toRemarkView(row.problem),
    outcome,
    deliveryCounts: { pending: 0, delivered: 0, dead: 0, cancelled: 0, ...counts },
    failing: failing
      ? {
          ...failing,
          nextAttemptAt: isoTime(failing.nextAttemptAt),
          lastErrorRemark: toRemarkView(failing.lastError),
        }
      : null,
  };
}

export const eventViewExample: EventView = {
  id: '0199a3f0-7c1d-7a54-9c1d-0a1b2c3d4e5f',
  kind: 'message',
  componentAppId: 'wx0123456789abcdef',
  authorizerAppId: 'wxfedcba9876543210',
  unknownAccount: false,
  infoType: null,
  msgType: 'text',
  event: null,
  fromUser: 'oAbCdEfGhIjKlMnOpQrStUvWxYz0',
  createTime: '2026-11-22T08:00:00.000Z',
  receivedAt: '2026-11-22T08:00:00.120Z',
  problem: null,
  problemRemark: null,
  outcome: 'success',
  deliveryCounts: { pending: 1, delivered: 0, dead: 0, cancelled: 0 },
  failing: null,
};

export const eventDetailExample: EventDetailView = {
  ...eventViewExample,
  sourceAddress: '127.0.0.1',
  keyUsed: 'current',
  format: 'xml',
  fields: { ToUserName: 'gh_0a1b2c3d4e5f', MsgType: 'text', Content: '你好' },
  raw: '<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName>…</xml>',
  reply: null,
  unreadable: null,
  deliveries: [{ ...deliveryViewExample, history: [attemptViewExample] }],
};
