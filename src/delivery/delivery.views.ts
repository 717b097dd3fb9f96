import { z } from 'zod';
import type { Attempt } from './delivery.job.js';
import { appidParam, idParam, pageQuery, timeQuery, timeView } from '../http/field-schemas.js';
import type { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DELIVERY_STATUSES, type DeliveryRow } from './delivery.entity.js';
import type { DeliverySearch } from './delivery.log.js';
import { Secret } from '../common/secret.js';
import { isoTime } from '../common/times.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

export const attemptView = z
  .object({
    at: timeView,
    durationMs: z.int(),
    cause: z.enum(['schedule', 'responder', 'manual']),
    status: z.int().nullable().describe('HTTP status; null when no answer came'),
    error: z.string().nullable().describe('What was wrong; null when nothing was'),
    errorRemark: remarkOf('error'),
    hasAnswer: z
      .boolean()
      .describe(
        "Whether the beginning of the target's answer is kept: of an attempt that was not taken, or " +
          'that a person asked for',
      ),
    answer: z
      .string()
      .nullable()
      .describe('Its first 1 KiB; null unless it is asked for, or where it cannot be decrypted'),
  })
  .meta({ id: 'DeliveryAttempt' });
export type AttemptView = z.infer<typeof attemptView>;

const statusView = z.enum(DELIVERY_STATUSES);

/** A delivery as `/admin/deliveries` shows it. */
export const deliveryView = z
  .object({
    id: z.string().describe('The `webhook-id` of every attempt'),
    eventId: z.string(),
    subscriptionId: z.string(),
    componentAppId: z
      .string()
      .nullable()
      .describe('The platform; like the next two, null in some deliveries of before version 0.2'),
    authorizerAppId: z.string().nullable().describe('The account that its push is for, or about'),
    type: z
      .string()
      .nullable()
      .describe('InfoType of an authorization event, Event of an event, MsgType of a message'),
    status: statusView,
    attempts: z.int().describe('Attempts of the schedule'),
    inHand: z.boolean().describe('Whether a process has leased it now'),
    nextAttemptAt: timeView.nullable(),
    lastError: z.string().nullable(),
    lastErrorRemark: remarkOf('lastError'),
    createdAt: timeView,
    finishedAt: timeView.nullable(),
  })
  .meta({ id: 'Delivery' });
export type DeliveryView = z.infer<typeof deliveryView>;

export const deliveryListView = z
  .object({
    deliveries: z.array(deliveryView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'DeliveryPage' });

export const deliveryDetailView = deliveryView
  .extend({ history: z.array(attemptView) })
  .meta({ id: 'DeliveryDetail' });

const idFilter = idParam.optional();
const nameFilter = appidParam.optional();
const filters = {
  subscription: idFilter,
  event: idFilter.describe('Id of the push'),
  component: nameFilter,
  account: nameFilter,
  type: nameFilter.describe('InfoType, Event or MsgType, as WeChat spells it'),
  from: timeQuery.optional().describe('Begun at this time or later'),
  to: timeQuery.optional().describe('Begun before this time'),
};

export const deliveryListQuery = z.object({
  ...filters,
  status: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(statusView).max(DELIVERY_STATUSES.length))
    .optional()
    .describe(`One, or several separated by commas: ${DELIVERY_STATUSES.join(', ')}`),
  ...pageQuery({ most: 500, usual: 50 }),
});
export type DeliveryListQuery = z.output<typeof deliveryListQuery>;

/** Most deliveries that one request begins again. */
const MOST_REPLAYED = 10_000;

export const replayDeliveriesBody = z
  .strictObject({
    ...filters,
    status: z.array(statusView).min(1).max(DELIVERY_STATUSES.length).default(['dead']),
    before: z.string().max(36).optional().describe('`next` of the request before'),
    limit: z.int().min(1).max(MOST_REPLAYED).default(MOST_REPLAYED),
    dryRun: z.boolean().default(false).describe('Count, and begin nothing'),
  })
  .meta({
    id: 'DeliveriesReplay',
    example: { status: ['dead'], account: 'wxfedcba9876543210', dryRun: true },
  });
export type ReplayDeliveriesBody = z.output<typeof replayDeliveriesBody>;

export const replayedDeliveriesView = z
  .object({
    matching: z.int().describe('Deliveries that the filter means, `limit` at the most'),
    replayed: z.int().describe('Those that were begun again'),
    next: z
      .string()
      .nullable()
      .describe('Value of `before` for the request that goes on; null where that were all'),
  })
  .meta({ id: 'DeliveriesReplayed' });

export function toDeliverySearch({
  status: statuses,
  from,
  to,
  ...query
}: Omit<DeliveryListQuery, 'limit'>): DeliverySearch {
  return {
    ...query,
    statuses: statuses && [...new Set(statuses)],
    from: from === undefined ? undefined : Date.parse(from),
    to: to === undefined ? undefined : Date.parse(to),
  };
}

export function toDeliveryView(row: DeliveryRow): DeliveryView {
  const { id, eventId, subscriptionId, status, attempts, lastError } = row;
  const { componentAppId, authorizerAppId, type } = row;
  const inHand = row.leaseOwner !== null;
  return {
    id,
    eventId,
    subscriptionId,
    componentAppId,
    authorizerAppId,
    type,
    status,
    attempts,
    inHand,
    nextAttemptAt: inHand ? null : isoTime(row.nextAttemptAt),
    lastError,
    lastErrorRemark: toRemarkView(lastError),
    createdAt: isoTime(row.createdAt),
    finishedAt: isoTime(row.finishedAt),
  };
}

/** @param answer what was kept of the target's answer, where it is shown. */
export function toAttemptView(row: DeliveryAttempt, answer: string | null = null): AttemptView {
  const { at, durationMs, cause, status, error } = row;
  const hasAnswer = row.answer !== null;
  const errorRemark = toRemarkView(error);
  return { at: isoTime(at), durationMs, cause, status, error, errorRemark, hasAnswer, answer };
}

export const deliveryViewExample: DeliveryView = {
  id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
  eventId: '0199a3f0-7c1d-7a54-9c1d-0a1b2c3d4e5f',
  subscriptionId: '0199a3ef-0000-7a54-9c1d-aabbccddeeff',
  componentAppId: 'wx0123456789abcdef',
  authorizerAppId: 'wxfedcba9876543210',
  type: 'text',
  status: 'pending',
  attempts: 1,
  inHand: false,
  nextAttemptAt: '2026-11-22T08:00:05.000Z',
  lastError: 'The target answered HTTP 500',
  lastErrorRemark: toRemarkView('The target answered HTTP 500'),
  createdAt: '2026-11-22T08:00:00.000Z',
  finishedAt: null,
};

export const attemptViewExample: AttemptView = {
  at: '2026-11-22T08:00:00.000Z',
  durationMs: 21,
  cause: 'schedule',
  status: 500,
  error: 'The target answered HTTP 500',
  errorRemark: toRemarkView('The target answered HTTP 500'),
  hasAnswer: true,
  answer: null,
};

/** How an attempt went that was asked for. */
export const attemptOutcomeView = z
  .object({
    taken: z.boolean(),
    status: z.int().nullable().describe('HTTP status; null when no answer came'),
    error: z.string().nullable().describe('What was wrong; null when it was taken'),
    errorRemark: remarkOf('error'),
    durationMs: z.int(),
    reply: z.boolean().describe('Whether the answer of a responder has a reply in it'),
  })
  .meta({ id: 'AttemptOutcome' });

export function toOutcomeView(attempt: Attempt): z.infer<typeof attemptOutcomeView> {
  const { taken, status, error, durationMs, reply } = attempt;
  const errorRemark = toRemarkView(error);
  return { taken, status, error, errorRemark, durationMs, reply: reply !== undefined };
}

/** How a test went, with what was sent and answered. */
export const testOutcomeView = attemptOutcomeView
  .extend({
    request: z
      .object({
        url: z.string(),
        headers: z.record(z.string(), z.string()).describe('What signs or identifies is masked'),
        body: z.string(),
      })
      .nullable()
      .describe('null where nothing could be sent'),
    answer: z
      .object({
        headers: z.record(z.string(), z.string()).describe('What signs or identifies is masked'),
        body: z.string().describe('Its first 2 KiB'),
      })
      .nullable()
      .describe('null where none came'),
  })
  .meta({ id: 'TestOutcome' });
export type TestOutcomeView = z.infer<typeof testOutcomeView>;

export function toTestOutcomeView(attempt: Attempt): TestOutcomeView {
  const { exchange, answer = '' } = attempt;
  const { request, answerHeaders } = exchange ?? {};
  return {
    ...toOutcomeView(attempt),
    request: request
      ? { url: maskedUrl(request.url), headers: masked(request.headers), body: request.body }
      : null,
    answer: answerHeaders ? { headers: masked(answerHeaders), body: answer } : null,
  };
}

const MASK = '****';
const SECRET_HEADER = /signature|cookie|auth|token|secret|key/i;

/** WeChat's format signs in the query. */
function maskedUrl(url: string): string {
  return url.replace(/([?&](?:msg_)?signature=)[^&]*/g, `$1${MASK}`);
}

function masked(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([header, value]) => [
      header,
      SECRET_HEADER.test(header) ? (new Secret(value).mask() ?? MASK) : value,
    ]),
  );
}

export const outcomeExample = {
  taken: true,
  status: 200,
  error: null,
  errorRemark: null,
  durationMs: 21,
  reply: false,
};

export const testOutcomeExample: TestOutcomeView = {
  ...outcomeExample,
  request: {
    url: 'https://orders.example.com/wechat',
    headers: { 'content-type': 'application/json', 'webhook-signature': '****aYPM' },
    body: '{"type":"message.text","timestamp":"2026-11-22T08:00:00.000Z","data":{}}',
  },
  answer: { headers: { 'content-length': '2' }, body: 'OK' },
};
