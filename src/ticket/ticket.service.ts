import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { CallbackEvent } from '../callback/callback-event.entity.js';
import { OnInfoType, type AuthorizationEvent } from '../callback/on-info-type.js';
import { textField, timeField } from '../callback/push-fields.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import {
  TICKET_INFO_TYPE,
  TICKET_LIFE_MS,
  TicketMissingError,
  isTicketUsable,
  type Ticket,
} from './ticket.js';
import { TicketStore } from './ticket.store.js';

/** Longest ticket that is taken; real ones have about 90 characters. */
const MAX_TICKET_LENGTH = 2048;
/** Earlier tickets that one exchange may fall back on: each is a call that WeChat counts. */
const MAX_EARLIER_TICKETS = 5;
/** Pushes that are looked through for them; WeChat makes 72 in the 12 hours. */
const MAX_PUSHES_SEARCHED = 100;

/** Keeps the component_verify_ticket of every third-party platform. */
@Injectable()
export class TicketService {
  constructor(
    private readonly store: TicketStore,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Of tickets that arrived together only the newest of each platform is written. */
  @OnInfoType(TICKET_INFO_TYPE)
  async onTicketPush(events: AuthorizationEvent[], manager: EntityManager): Promise<void> {
    const newest = new Map<string, Ticket>();
    for (const ticket of events.map(readTicket)) {
      const known = newest.get(ticket.appId);
      if (!known || ticket.createTime >= known.createTime) newest.set(ticket.appId, ticket);
    }
    for (const ticket of newest.values()) await this.store.keep(ticket, manager);
  }

  /** The newest ticket, however old. */
  latest(componentAppId: string): Promise<Ticket | undefined> {
    return this.store.latest(componentAppId);
  }

  /** The newest ticket of every third-party platform. */
  all(): Promise<Ticket[]> {
    return this.store.all();
  }

  /**
   * The newest ticket, if WeChat would take it.
   * @throws {TicketMissingError}
   */
  async usable(componentAppId: string): Promise<Ticket> {
    const ticket = await this.latest(componentAppId);
    if (ticket && isTicketUsable(ticket, this.clock.now())) return ticket;
    throw new TicketMissingError(
      componentAppId,
      `${this.config.publicUrl}/callback/${componentAppId}/events`,
      ticket !== undefined,
    );
  }

  /**
   * Tickets pushed before `newest` that are within their 12 hours, newest first, each value once:
   * what is left to try when WeChat refuses the newest.
   */
  async earlierThan(newest: Ticket): Promise<Secret[]> {
    const oldest = this.clock.now() - TICKET_LIFE_MS;
    const events = await this.store.pushes(newest.appId, {
      limit: MAX_PUSHES_SEARCHED,
      receivedAfter: oldest,
    });
    const values = events
      .filter(({ createTime }) => createTime !== null && createTime * 1000 > oldest)
      .toSorted((a, b) => Number(b.createTime) - Number(a.createTime))
      .map((event) => this.ticketOf(event))
      .filter((value) => value !== newest.ticket.reveal());
    return [...new Set(values)].slice(0, MAX_EARLIER_TICKETS).map((value) => new Secret(value));
  }

  /** Ticket pushes, newest first; `before` is the id of the last one of the page before. */
  history(componentAppId: string, limit: number, before?: string): Promise<CallbackEvent[]> {
    return this.store.pushes(componentAppId, { limit, before });
  }

  private ticketOf(event: CallbackEvent): string {
    return textField(parseWechatXml(this.store.openPayload(event)), 'ComponentVerifyTicket');
  }
}

/** @throws {HubError} 400 for a push without a ticket or a time. */
function readTicket({ componentAppId, infoType, receivedAt, fields }: AuthorizationEvent): Ticket {
  const ticket = textField(fields, 'ComponentVerifyTicket');
  if (ticket.length > MAX_TICKET_LENGTH) {
    throw new HubError('field_invalid', "The push's ComponentVerifyTicket is too long", {
      status: 400,
      level: 'warn',
    });
  }
  return {
    appId: componentAppId,
    createTime: timeField(fields, 'CreateTime'),
    infoType,
    ticket: new Secret(ticket),
    receivedAt,
  };
}
