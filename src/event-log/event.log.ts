import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { authorizerKey } from '../authorizer/authorizer.js';
import { Authorizer } from '../authorizer/authorizer.entity.js';
import { CallbackEvent } from '../callback/callback-event.entity.js';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import type { DeliveryStatus } from '../delivery/delivery.entity.js';
import { DeliveryLog } from '../delivery/delivery.log.js';
import { toAttemptView, toDeliveryView } from '../delivery/delivery.views.js';
import { marks } from '../database/sql.js';
import { EventLogContents } from './event-log.contents.js';
import {
  toEventView,
  type DeliveryCounts,
  type EventDetailView,
  type EventListQuery,
  type EventView,
  type ListedEvent,
} from './event-log.views.js';

/** What a list reads: the payload is large, and none of its business. */
const LISTED = [
  'id',
  'kind',
  'componentAppId',
  'authorizerAppId',
  'infoType',
  'msgType',
  'event',
  'fromUser',
  'createTime',
  'receivedAt',
  'problem',
  'outcome',
] as const satisfies (keyof ListedEvent)[];
/** Pushes that one page looks through for what no index finds: none takes long, or is cut off. */
const SEARCHED = 10_000;
const NO_DELIVERIES: DeliveryCounts = { pending: 0, delivered: 0, dead: 0, cancelled: 0 };

/** No push of that id, or not any more (404). */
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

/** The recorded pushes of both URLs, for people who look something up. */
@Injectable()
export class EventLog {
  constructor(
    private readonly database: Database,
    private readonly deliveries: DeliveryLog,
    private readonly contents: EventLogContents,
  ) {}

  /** A page, newest first. One that has looked through many may end before it is full. */
  page(query: EventListQuery): Promise<EventPage> {
    return this.database.read(async (manager) => {
      const until = isFoundByIndex(query) ? undefined : await endOfSearch(query, manager);
      const rows = await listed(query, until, manager);
      const last = rows.length === query.limit ? rows.at(-1)?.id : until;
      return { events: await viewsOf(rows, manager), next: last ?? null };
    });
  }

  /** @throws {EventUnknownError} */
  async get(id: string): Promise<CallbackEvent> {
    const row = await this.database.read((manager) => manager.findOneBy(CallbackEvent, { id }));
    if (!row) throw new EventUnknownError(id);
    return row;
  }

  /** All of a push, decrypted. */
  async detail(row: CallbackEvent): Promise<EventDetailView> {
    const { sourceAddress, keyUsed } = row;
    const [view] = await this.database.read((manager) => viewsOf([row], manager));
    if (!view) throw new EventUnknownError(row.id);
    const deliveries = await this.deliveries.ofEvent(row.id);
    const history = await Promise.all(deliveries.map(({ id }) => this.deliveries.attempts(id)));
    return {
      ...view,
      sourceAddress,
      keyUsed,
      ...(await this.contents.of(row)),
      deliveries: deliveries.map((delivery, index) => ({
        ...toDeliveryView(delivery),
        history: (history[index] ?? []).map(toAttemptView),
      })),
    };
  }
}

/** Whether the index has them together, or every push is meant. */
function isFoundByIndex({ account, user, from, to, ...query }: EventListQuery): boolean {
  const { component, kind, type } = query;
  return Boolean(account ?? user ?? from ?? to) || !(component ?? kind ?? type);
}

/** The oldest push that a search looks at; undefined where it looks at all that are left. */
async function endOfSearch(
  { before }: EventListQuery,
  manager: EntityManager,
): Promise<string | undefined> {
  const rows: { id: string }[] = await manager.query(
    `SELECT id FROM callback_event ${before ? 'WHERE id < ?' : ''}
     ORDER BY id DESC LIMIT 1 OFFSET ${SEARCHED - 1}`,
    before ? [before] : [],
  );
  return rows[0]?.id;
}

function listed(
  query: EventListQuery,
  until: string | undefined,
  manager: EntityManager,
): Promise<ListedEvent[]> {
  const { component, account, kind, type, user, from, to, before, limit } = query;
  const select = manager
    .createQueryBuilder(CallbackEvent, 'push')
    .select(LISTED.map((name) => `push.${name}`))
    .orderBy('push.id', 'DESC')
    .limit(limit);
  if (component) select.andWhere('push.componentAppId = :component', { component });
  if (account) select.andWhere('push.authorizerAppId = :account', { account });
  if (kind) select.andWhere('push.kind = :kind', { kind });
  if (user) select.andWhere('push.fromUser = :user', { user });
  if (type) {
    select.andWhere('(push.infoType = :type OR push.msgType = :type OR push.event = :type)', {
      type,
    });
  }
  if (from) select.andWhere('push.receivedAt >= :from', { from: Date.parse(from) });
  if (to) select.andWhere('push.receivedAt < :to', { to: Date.parse(to) });
  if (before) select.andWhere('push.id < :before', { before });
  if (until) select.andWhere('push.id >= :until', { until });
  return select.getMany();
}

async function viewsOf(rows: ListedEvent[], manager: EntityManager): Promise<EventView[]> {
  const known = await knownAccounts(rows, manager);
  const counts = await countsOf(rows, manager);
  return rows.map((row) => {
    const { id, componentAppId, authorizerAppId } = row;
    const unknown =
      authorizerAppId !== null && !known.has(authorizerKey({ componentAppId, authorizerAppId }));
    return toEventView(row, unknown, counts.get(id) ?? NO_DELIVERIES);
  });
}

async function knownAccounts(rows: ListedEvent[], manager: EntityManager): Promise<Set<string>> {
  const accounts = [...new Set(rows.flatMap(({ authorizerAppId }) => authorizerAppId ?? []))];
  if (accounts.length === 0) return new Set();
  const found = await manager
    .createQueryBuilder(Authorizer, 'account')
    .select(['account.componentAppId', 'account.authorizerAppId'])
    .where('account.authorizerAppId IN (:...accounts)', { accounts })
    .getMany();
  return new Set(found.map(authorizerKey));
}

async function countsOf(
  rows: ListedEvent[],
  manager: EntityManager,
): Promise<Map<string, DeliveryCounts>> {
  if (rows.length === 0) return new Map();
  const found: { id: string; status: DeliveryStatus; count: number | string }[] =
    await manager.query(
      `SELECT event_id AS id, status, COUNT(*) AS count FROM delivery
       WHERE event_id IN (${marks(rows.length)}) GROUP BY event_id, status`,
      rows.map(({ id }) => id),
    );
  const counts = new Map<string, DeliveryCounts>();
  for (const { id, status, count } of found) {
    counts.set(id, { ...(counts.get(id) ?? NO_DELIVERIES), [status]: Number(count) });
  }
  return counts;
}
