import { Injectable, Logger } from '@nestjs/common';
import { authorizerKey } from '../authorizer/authorizer.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import type { CallbackEvent } from '../callback/callback-event.entity.js';
import { PushStore, type ListedPush, type PushSearch } from '../callback/push.store.js';
import { HubError } from '../common/hub-error.js';
import { DeliveryLog } from '../delivery/delivery.log.js';
import { DeliveryReplay } from '../delivery/delivery.replay.js';
import { piecesOf } from '../database/sql.js';
import { toAttemptView, toDeliveryView } from '../delivery/delivery.views.js';
import { withoutCodes } from '../delivery/push-body.js';
import {
  toEventView,
  type EventContent,
  type EventDetailView,
  type EventListQuery,
  type EventView,
} from './event-log.views.js';

/** Pushes that one page looks through for what no index finds: none takes long, or is cut off. */
const SEARCHED = 10_000;
/** Pushes that one statement looks up. */
const PIECE = 500;
const NO_CONTENT = { format: null, fields: null, raw: null, reply: null, unreadable: null };

/** No push of that id, or no longer (404). */
export class EventUnknownError extends HubError {
  constructor(id: string) {
    super('event_unknown', 'There is no such push, or it is no longer stored', {
      status: 404,
      details: { eventId: id.slice(0, 64) },
    });
  }
}

/** What a list answers. */
export interface EventPage {
  events: EventView[];
  /** Where the next page begins; null where there is none. */
  next: string | null;
}

interface Bounded {
  search: PushSearch;
  end: string | undefined;
}

/** The recorded pushes of both URLs, for people who look something up. */
@Injectable()
export class EventLog {
  private readonly logger = new Logger(EventLog.name);

  constructor(
    private readonly pushes: PushStore,
    private readonly deliveries: DeliveryLog,
    private readonly replays: DeliveryReplay,
    private readonly authorizers: AuthorizerStore,
  ) {}

  /** A page, newest first. One that has looked through many may end before it is full. */
  async page({ limit, ...query }: EventListQuery): Promise<EventPage> {
    if (query.delivery === 'dead') return this.dead(query, limit);
    if (query.unknownAccount) return this.ofUnknownAccounts(query, limit);
    const { search, end } = await this.boundOf(query);
    const rows = await this.read(search, limit);
    const last = rows.length === limit ? rows.at(-1)?.id : end;
    return { events: await this.viewsOf(rows), next: last ?? null };
  }

  /**
   * All of a push, decrypted as far as it can be, without the secrets that authorization events
   * bring.
   * @param withContent whether to decrypt it; else what is encrypted is null.
   * @throws {EventUnknownError}
   */
  async detail(id: string, withContent: boolean): Promise<EventDetailView> {
    const row = await this.pushes.find(id);
    const [view] = row ? await this.viewsOf([row]) : [];
    if (!row || !view) throw new EventUnknownError(id);
    const { sourceAddress, keyUsed } = row;
    const deliveries = await this.deliveries.ofEvent(id);
    const history = await Promise.all(deliveries.map((one) => this.deliveries.attempts(one.id)));
    return {
      ...view,
      sourceAddress,
      keyUsed,
      ...(withContent ? this.contentOf(row) : NO_CONTENT),
      deliveries: deliveries.map((delivery, index) => ({
        ...toDeliveryView(delivery),
        history: (history[index] ?? []).map((one) =>
          toAttemptView(one, withContent ? this.deliveries.answerOf(one) : null),
        ),
      })),
    };
  }

  /**
   * Delivers a push to these subscriptions, for the first time or again.
   * @returns how many deliveries were begun. @throws {HubError}
   */
  async replay(id: string, subscriptions: string[]): Promise<number> {
    const row = await this.pushes.find(id);
    if (!row) throw new EventUnknownError(id);
    return this.replays.push(row, subscriptions);
  }

  /**
   * What a page searches, bounded where no index finds it.
   * @returns also where the next page begins if this one is not full; undefined for nowhere.
   */
  private async boundOf(query: Omit<EventListQuery, 'limit'>): Promise<Bounded> {
    const search = searchOf(query);
    if (hasIndex(search)) return { search, end: undefined };
    const range = await this.pushes.rangeOf(search);
    const { component, kind, type, outcome } = query;
    const meansAll = (component ?? kind ?? type ?? outcome) === undefined;
    const end = meansAll ? undefined : await this.pushes.idBehind(SEARCHED, range);
    return { search: { ...search, ...range, ...(end !== undefined && { since: end }) }, end };
  }

  private read(search: PushSearch, limit: number): Promise<ListedPush[]> {
    return hasIndex(search) ? this.pushes.page(search, limit) : this.pushes.walk(search, limit);
  }

  /** Those for accounts that are not known: none of the database's indexes finds them. */
  private async ofUnknownAccounts(
    query: Omit<EventListQuery, 'limit'>,
    limit: number,
  ): Promise<EventPage> {
    const { search, end } = await this.boundOf(query);
    const found: ListedPush[] = [];
    let { before } = search;
    for (let looked = 0; looked < SEARCHED && found.length < limit; looked += PIECE) {
      const rows = await this.read({ ...search, before }, PIECE);
      const isUnknown = await this.unknownAmong(rows);
      found.push(...rows.filter(isUnknown));
      if (rows.length < PIECE) {
        before = end;
        break;
      }
      before = rows.at(-1)?.id;
    }
    const shown = found.slice(0, limit);
    const next = shown.length === limit ? shown.at(-1)?.id : before;
    return { events: await this.viewsOf(shown), next: next ?? null };
  }

  /** Those of which a delivery is dead, found by these deliveries. */
  private async dead(query: Omit<EventListQuery, 'limit'>, limit: number): Promise<EventPage> {
    const { before } = query;
    const dead = await this.deliveries.deadEvents(SEARCHED);
    const ids = dead.filter((id) => before === undefined || id < before);
    const rows: ListedPush[] = [];
    for (const piece of piecesOf(ids, PIECE)) {
      rows.push(...(await this.pushes.page({ ...searchOf(query), ids: piece }, limit)));
      if (rows.length >= limit) break;
    }
    const shown = rows.slice(0, limit);
    const last = shown.length === limit ? shown.at(-1)?.id : undefined;
    return { events: await this.viewsOf(shown), next: last ?? null };
  }

  private async viewsOf(rows: ListedPush[]): Promise<EventView[]> {
    const isUnknown = await this.unknownAmong(rows);
    const counts = await this.deliveries.countsOf(rows.map(({ id }) => id));
    const waiting = rows.flatMap(({ id }) => (counts.get(id)?.pending ? [id] : []));
    const failing = await this.deliveries.failingOf(waiting);
    return rows.map((row) =>
      toEventView(row, isUnknown(row), counts.get(row.id), failing.get(row.id)),
    );
  }

  private async unknownAmong(rows: ListedPush[]): Promise<(row: ListedPush) => boolean> {
    const known = await this.authorizers.known(rows.flatMap((row) => row.authorizerAppId ?? []));
    return ({ componentAppId, authorizerAppId }) =>
      authorizerAppId !== null && !known.has(authorizerKey({ componentAppId, authorizerAppId }));
  }

  /** As a subscriber sees it. What cannot be read is null, and `unreadable` says why. */
  private contentOf(row: CallbackEvent): EventContent {
    let shown: Partial<EventContent> = {};
    try {
      const { format, fields, text: raw } = withoutCodes(this.pushes.open(row));
      shown = { format, fields, raw };
      return { ...NO_CONTENT, ...shown, reply: this.pushes.openReply(row) };
    } catch (error) {
      return { ...NO_CONTENT, ...shown, unreadable: this.reasonOf(error, row.id) };
    }
  }

  private reasonOf(error: unknown, eventId: string): EventContent['unreadable'] {
    if (error instanceof HubError) return { code: error.code, message: error.message };
    this.logger.warn('A recorded push cannot be read', { eventId, error });
    return { code: 'push_unreadable', message: 'The recorded push cannot be read' };
  }
}

/** Whether an index has them in the order of a page. */
function hasIndex({ authorizerAppId, fromUser }: PushSearch): boolean {
  return (authorizerAppId ?? fromUser) !== undefined;
}

function searchOf(query: Omit<EventListQuery, 'limit'>): PushSearch {
  const { component, account, kind, type, user, from, to, before, outcome } = query;
  return {
    componentAppId: component,
    authorizerAppId: account,
    kind,
    type,
    fromUser: user,
    outcome,
    from: from === undefined ? undefined : Date.parse(from),
    to: to === undefined ? undefined : Date.parse(to),
    before,
  };
}
