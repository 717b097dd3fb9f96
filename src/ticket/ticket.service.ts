import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Push } from '../callback/push.js';
import type { EntityManager } from 'typeorm';
import { OnInfoType, type AfterCommit } from '../callback/push-handlers.js';
import { textField, timeField } from '../callback/push-fields.js';
import { PushStore, type ListedPush, type PushSearch } from '../callback/push.store.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { firstText } from '../wechat-crypto/push-text.js';
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
/** A ticket from further ahead than this would stay the newest until the clock reaches it. */
const MAX_AHEAD_MS = 60 * 60_000;
/** Earlier tickets that one exchange may fall back on: each is a call that WeChat counts. */
const MAX_EARLIER_TICKETS = 5;
/** Pushes that are looked through for them; WeChat makes 72 in the 12 hours. */
const MAX_PUSHES_SEARCHED = 100;

/** Keeps the component_verify_ticket of every third-party platform. */
@Injectable()
export class TicketService {
  private readonly logger = new Logger(TicketService.name);
  /** Platforms that are known to have had a ticket. */
  private readonly begun = new Set<string>();

  constructor(
    private readonly store: TicketStore,
    private readonly pushes: PushStore,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Of tickets that arrived together only the newest of each platform is written. */
  @OnInfoType(TICKET_INFO_TYPE)
  async onTicketPush(events: Push[], manager: EntityManager): Promise<AfterCommit | void> {
    const newest = new Map<string, Ticket>();
    for (const ticket of events.map(readTicket)) {
      const known = newest.get(ticket.appId);
      if (!known || ticket.createTime >= known.createTime) newest.set(ticket.appId, ticket);
    }
    const unknown = [...newest.keys()].filter((appid) => !this.begun.has(appid));
    const first: string[] = [];
    for (const appid of unknown) if (!(await this.store.has(appid, manager))) first.push(appid);
    for (const ticket of newest.values()) await this.store.keep(ticket, manager);
    if (unknown.length > 0) return async () => this.reportFirst(unknown, first);
  }

  /** The newest ticket, however old. */
  latest(componentAppId: string): Promise<Ticket | undefined> {
    return this.store.latest(componentAppId);
  }

  /** The newest ticket of every third-party platform that has one. */
  all(): Promise<Ticket[]> {
    return this.store.all();
  }

  /**
   * The newest ticket, if WeChat would take it.
   * @throws {TicketMissingError | SecretUnreadableError}
   */
  async usable(componentAppId: string): Promise<Ticket> {
    const ticket = await this.latest(componentAppId);
    if (ticket?.ticket.problem) throw ticket.ticket.problem;
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
    const search = { ...ticketsOf(newest.appId), from: oldest };
    const ids = (await this.pushes.page(search, MAX_PUSHES_SEARCHED))
      .filter(({ createTime }) => createTime !== null && createTime * 1000 > oldest)
      .toSorted((a, b) => Number(b.createTime) - Number(a.createTime))
      .map(({ id }) => id);
    const pushes = await this.pushes.read(ids);
    const values = ids.flatMap((id) => {
      const push = pushes.get(id);
      // One of several: where it cannot be read, the others may do.
      if (!push || push instanceof Error) return [];
      return firstText(push.fields, 'ComponentVerifyTicket') || [];
    });
    const others = new Set(values.filter((value) => value !== newest.ticket.reveal()));
    return [...others].slice(0, MAX_EARLIER_TICKETS).map((value) => new Secret(value));
  }

  /** Ticket pushes, newest first; `before` is the id of the last one of the page before. */
  history(componentAppId: string, limit: number, before?: string): Promise<ListedPush[]> {
    return this.pushes.page({ ...ticketsOf(componentAppId), before }, limit);
  }

  private reportFirst(known: string[], first: string[]): void {
    for (const componentAppId of first) {
      if (this.begun.has(componentAppId)) continue;
      this.logger.log('First ticket arrived', { componentAppId });
    }
    for (const appid of known) this.begun.add(appid);
  }
}

/** Ticket pushes of a platform in the order of their arrival, whatever the clock said then. */
function ticketsOf(componentAppId: string): PushSearch {
  return { componentAppId, infoType: TICKET_INFO_TYPE };
}

/** @throws {HubError} 400 for a push without a ticket or a time that can be. */
function readTicket({ componentAppId, infoType, receivedAt, fields }: Push): Ticket {
  const ticket = textField(fields, 'ComponentVerifyTicket');
  if (ticket.length > MAX_TICKET_LENGTH) {
    throw fieldInvalid("The push's ComponentVerifyTicket is too long");
  }
  const createTime = timeField(fields, 'CreateTime');
  if (createTime * 1000 > receivedAt + MAX_AHEAD_MS) {
    throw fieldInvalid("The push's CreateTime is more than an hour ahead of this server's clock");
  }
  return { appId: componentAppId, createTime, infoType, ticket: new Secret(ticket), receivedAt };
}

function fieldInvalid(message: string): HubError {
  return new HubError('field_invalid', message, { status: 400, level: 'warn' });
}
