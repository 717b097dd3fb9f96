import { z } from 'zod';
import type { ListedPush } from '../callback/push.store.js';
import { errorOf, problemView } from '../http/problem-view.js';
import { TICKET_LIFE_MS, TICKET_STALE_MS, type Ticket } from './ticket.js';
import { isoTime } from '../common/times.js';

/** A ticket as `/admin/tickets` shows it. */
export const ticketView = z
  .object({
    appId: z.string(),
    createTime: z.int().describe("WeChat's CreateTime in Unix seconds"),
    infoType: z.string(),
    receivedAt: z.iso.datetime(),
    ageSeconds: z.int().describe('Seconds since CreateTime'),
    expiresAt: z.iso.datetime().describe('12 hours after CreateTime'),
    stale: z.boolean().describe('No newer ticket for more than 35 minutes'),
    componentVerifyTicket: z
      .string()
      .nullable()
      .describe('Masked unless reveal=true; null where it cannot be read'),
    error: problemView
      .optional()
      .describe('Why the ticket cannot be read; the next push replaces it'),
  })
  .meta({ id: 'Ticket' });
export type TicketView = z.infer<typeof ticketView>;

/** One line of the ticket ledger. */
export const ticketPushView = z
  .object({
    id: z.string(),
    createTime: z.int().nullable(),
    receivedAt: z.iso.datetime(),
    ageAtArrivalSeconds: z.number().nullable().describe('From CreateTime to arrival'),
    keyUsed: z.enum(['current', 'previous']).describe('Generation of Token and EncodingAESKey'),
    sourceAddress: z.string().describe('Of the sender; unknown: it had gone'),
  })
  .meta({ id: 'TicketPush' });
export type TicketPushView = z.infer<typeof ticketPushView>;

export const ticketHistoryView = z
  .object({
    pushes: z.array(ticketPushView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'TicketPushPage' });
export type TicketHistoryView = z.infer<typeof ticketHistoryView>;

export function toTicketView(
  { appId, createTime, infoType, ticket, receivedAt }: Ticket,
  now: number,
  reveal: boolean,
): TicketView {
  const madeAt = createTime * 1000;
  const { problem } = ticket;
  return {
    appId,
    createTime,
    infoType,
    receivedAt: isoTime(receivedAt),
    ageSeconds: Math.floor((now - madeAt) / 1000),
    expiresAt: isoTime(madeAt + TICKET_LIFE_MS),
    stale: now - madeAt > TICKET_STALE_MS,
    componentVerifyTicket: reveal && !problem ? ticket.reveal() : ticket.mask(),
    ...errorOf(problem),
  };
}

export function toTicketPushView(push: ListedPush): TicketPushView {
  const { id, createTime, receivedAt, keyUsed, sourceAddress } = push;
  return {
    id,
    createTime,
    receivedAt: isoTime(receivedAt),
    ageAtArrivalSeconds:
      createTime === null ? null : Math.round(receivedAt - createTime * 1000) / 1000,
    keyUsed: keyUsed as TicketPushView['keyUsed'],
    sourceAddress,
  };
}

export const ticketViewExample: TicketView = {
  appId: 'wx0123456789abcdef',
  createTime: 1763798400,
  infoType: 'component_verify_ticket',
  receivedAt: '2025-11-22T08:00:00.213Z',
  ageSeconds: 42,
  expiresAt: '2025-11-22T20:00:00.000Z',
  stale: false,
  componentVerifyTicket: '****aYPM',
};

export const ticketHistoryExample: TicketHistoryView = {
  pushes: [
    {
      id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
      createTime: 1763798400,
      receivedAt: '2025-11-22T08:00:00.213Z',
      ageAtArrivalSeconds: 0.213,
      keyUsed: 'current',
      sourceAddress: '101.226.103.0',
    },
  ],
  next: null,
};
