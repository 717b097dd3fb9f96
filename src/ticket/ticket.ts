import type { Secret } from '../common/secret.js';
import { HubError } from '../common/hub-error.js';

/** InfoType of the ticket push. */
export const TICKET_INFO_TYPE = 'component_verify_ticket';
/** WeChat takes a ticket for 12 hours. */
export const TICKET_LIFE_MS = 12 * 3_600_000;
/** Pushed every 10 minutes: three missed in a row deserve a look. */
export const TICKET_STALE_MS = 35 * 60_000;
/** After this the hub asks WeChat to push again. */
export const TICKET_OVERDUE_MS = 60 * 60_000;

/** A component_verify_ticket as WeChat pushed it. */
export interface Ticket {
  appId: string;
  /** WeChat's CreateTime in Unix seconds. */
  createTime: number;
  infoType: string;
  /** One that cannot be read is as good as none until the next one is pushed. */
  ticket: Secret;
  /** Unix milliseconds. */
  receivedAt: number;
}

/** Milliseconds since WeChat made the ticket; Infinity without one that can be read. */
export function ticketAgeMs(ticket: Ticket | undefined, now: number): number {
  return ticket && !ticket.ticket.problem ? now - ticket.createTime * 1000 : Infinity;
}

/** Whether WeChat takes the ticket. */
export function isTicketUsable(ticket: Ticket | undefined, now: number): boolean {
  return ticketAgeMs(ticket, now) < TICKET_LIFE_MS;
}

/** Whether a newer ticket should have come. */
export function isTicketStale(ticket: Ticket | undefined, now: number): boolean {
  return ticketAgeMs(ticket, now) > TICKET_STALE_MS;
}

/** There is no ticket that WeChat would take, so WeChat is not asked (503). */
export class TicketMissingError extends HubError {
  constructor(componentAppId: string, eventsUrl: string, ever: boolean) {
    super(
      'ticket_missing',
      `${ever ? 'The last ticket is older than 12 hours' : 'No ticket has arrived yet'}. ` +
        `Check that the platform's 授权事件接收URL is ${eventsUrl}, that WeChat can reach it, and ` +
        'that Token and EncodingAESKey are those of the WeChat console. WeChat pushes a ticket ' +
        `every 10 minutes; POST /admin/tickets/${componentAppId}/start-push asks for one.`,
      { status: 503, level: 'warn', details: { componentAppId } },
    );
  }
}
