import { z } from 'zod';
import type { Attempt } from './delivery.job.js';
import { pageQuery, timeView } from '../http/list-query.js';
import type { DeliveryAttempt } from './delivery-attempt.entity.js';
import type { DeliveryRow } from './delivery.entity.js';
import { isoTime } from '../common/times.js';

export const attemptView = z
  .object({
    at: timeView,
    durationMs: z.int(),
    cause: z.enum(['schedule', 'responder', 'manual']),
    status: z.int().nullable().describe('HTTP status; null when no answer came'),
    error: z.string().nullable().describe('What was wrong; null when nothing was'),
  })
  .meta({ id: 'DeliveryAttempt' });
export type AttemptView = z.infer<typeof attemptView>;

/** A delivery as `/admin/deliveries` shows it. */
export const deliveryView = z
  .object({
    id: z.string().describe('The `webhook-id` of every attempt'),
    eventId: z.string(),
    subscriptionId: z.string(),
    status: z.enum(['pending', 'delivered', 'dead', 'cancelled']),
    attempts: z.int().describe('Attempts of the schedule'),
    inHand: z.boolean().describe('Whether a process has leased it now'),
    nextAttemptAt: timeView.nullable(),
    lastError: z.string().nullable(),
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

export const deliveryListQuery = z.object({
  subscription: z.string().min(1).max(36).optional(),
  status: z.enum(['pending', 'delivered', 'dead', 'cancelled']).optional(),
  event: z.string().min(1).max(36).optional(),
  ...pageQuery({ most: 500, usual: 50 }),
});
export type DeliveryListQuery = z.output<typeof deliveryListQuery>;

export function toDeliveryView(row: DeliveryRow): DeliveryView {
  const { id, eventId, subscriptionId, status, attempts, lastError } = row;
  const inHand = row.leaseOwner !== null;
  return {
    id,
    eventId,
    subscriptionId,
    status,
    attempts,
    inHand,
    nextAttemptAt: inHand ? null : isoTime(row.nextAttemptAt),
    lastError,
    createdAt: isoTime(row.createdAt),
    finishedAt: isoTime(row.finishedAt),
  };
}

export function toAttemptView(row: Omit<DeliveryAttempt, 'id' | 'deliveryId'>): AttemptView {
  const { at, durationMs, cause, status, error } = row;
  return { at: isoTime(at), durationMs, cause, status, error };
}

export const deliveryViewExample: DeliveryView = {
  id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
  eventId: '0199a3f0-7c1d-7a54-9c1d-0a1b2c3d4e5f',
  subscriptionId: '0199a3ef-0000-7a54-9c1d-aabbccddeeff',
  status: 'pending',
  attempts: 1,
  inHand: false,
  nextAttemptAt: '2026-11-22T08:00:05.000Z',
  lastError: 'The target answered HTTP 500',
  createdAt: '2026-11-22T08:00:00.000Z',
  finishedAt: null,
};

export const attemptViewExample: AttemptView = {
  at: '2026-11-22T08:00:00.000Z',
  durationMs: 21,
  cause: 'schedule',
  status: 500,
  error: 'The target answered HTTP 500',
};

/** How an attempt went that was asked for. */
export const attemptOutcomeView = z
  .object({
    taken: z.boolean(),
    status: z.int().nullable().describe('HTTP status; null when no answer came'),
    error: z.string().nullable().describe('What was wrong; null when it was taken'),
    durationMs: z.int(),
    reply: z.boolean().describe('Whether the answer of a responder has a reply in it'),
  })
  .meta({ id: 'AttemptOutcome' });

export function toOutcomeView(attempt: Attempt): z.infer<typeof attemptOutcomeView> {
  const { taken, status, error, durationMs, reply } = attempt;
  return { taken, status, error, durationMs, reply: reply !== undefined };
}

export const outcomeExample = {
  taken: true,
  status: 200,
  error: null,
  durationMs: 21,
  reply: false,
};
