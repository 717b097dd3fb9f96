import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { HubError } from '../common/hub-error.js';
import { MINUTE_MS } from '../common/times.js';
import { Database } from '../database/database.js';
import { alongIndex, distinctAlong, marks } from '../database/sql.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { DeliveryAttempt } from './delivery-attempt.entity.js';
import { DELIVERY_STATUSES, DeliveryRow, type DeliveryStatus } from './delivery.entity.js';

/** Deliveries that one page looks through for what no index finds: none takes long, or is cut off. */
const SEARCHED = 10_000;
/** By how much the order of ids may differ from that of the times beside them, in milliseconds. */
const DISORDER_MS = MINUTE_MS;

/** How many deliveries there are, by status. */
export type DeliveryCounts = Record<DeliveryStatus, number>;

/** Deliveries of a push that wait after a failure. */
export interface FailingDeliveries {
  count: number;
  /** Of the one that was tried most often. */
  attempts: number;
  /** Of the one that is tried next, in Unix milliseconds. */
  nextAttemptAt: number;
  /** Of one of them. */
  lastError: string | null;
}

/** Which deliveries; what is absent restricts nothing. */
export interface DeliverySearch {
  event?: string | undefined;
  account?: string | undefined;
  subscription?: string | undefined;
  component?: string | undefined;
  type?: string | undefined;
  statuses?: DeliveryStatus[] | undefined;
  /** Begun at this time or later, in Unix milliseconds. */
  from?: number | undefined;
  /** Begun before this time, in Unix milliseconds. */
  to?: number | undefined;
  /** Begun before the delivery of this id. */
  before?: string | undefined;
}

/** A page of a search. */
export interface DeliveryPage<R> {
  rows: R[];
  /** Where the next page begins; null where there is none. */
  next: string | null;
}

/** No delivery of that id (404). */
export class DeliveryUnknownError extends HubError {
  constructor(id: string) {
    super('delivery_unknown', 'There is no such delivery', {
      status: 404,
      details: { deliveryId: id.slice(0, 64) },
    });
  }
}

/** What was delivered, what was not, and why. */
@Injectable()
export class DeliveryLog {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** A page, newest first. One that has looked through many may end before it is full. */
  async page(search: DeliverySearch, limit: number): Promise<DeliveryPage<DeliveryRow>> {
    const { rows: ids, next } = await this.ids(search, limit);
    if (ids.length === 0) return { rows: [], next };
    const rows = await this.database.read((manager) =>
      manager.find(DeliveryRow, { where: { id: In(ids) }, order: { id: 'DESC' } }),
    );
    return { rows, next };
  }

  /** The same, the ids alone. */
  ids(search: DeliverySearch, limit: number): Promise<DeliveryPage<string>> {
    return this.database.read(async (manager) => {
      const range = await this.rangeOf(search, manager);
      return this.idsIn(range, search, limit, manager);
    });
  }

  /** @throws {DeliveryUnknownError} */
  async get(id: string): Promise<DeliveryRow> {
    const row = await this.database.read((manager) => manager.findOneBy(DeliveryRow, { id }));
    if (!row) throw new DeliveryUnknownError(id);
    return row;
  }

  /** All deliveries of a push, in the order in which they began. */
  ofEvent(eventId: string): Promise<DeliveryRow[]> {
    return this.database.read((manager) =>
      manager.find(DeliveryRow, { where: { eventId }, order: { id: 'ASC' } }),
    );
  }

  /** Attempts of a delivery, oldest first. */
  attempts(deliveryId: string): Promise<DeliveryAttempt[]> {
    return this.database.read((manager) =>
      manager.find(DeliveryAttempt, { where: { deliveryId }, order: { id: 'ASC' } }),
    );
  }

  /** The beginning of what a target answered; null where none was kept, or it cannot be read. */
  answerOf({ id, answer }: Pick<DeliveryAttempt, 'id' | 'answer'>): string | null {
    if (answer === null) return null;
    const opened = this.box.open(answer, secretLocation(encryptedColumns.deliveryAnswer, id));
    return opened.problem ? null : opened.reveal();
  }

  /** How many deliveries these pushes have; those of a status of which there is none are missing. */
  async countsOf(eventIds: string[]): Promise<Map<string, Partial<DeliveryCounts>>> {
    const counts = new Map<string, Partial<DeliveryCounts>>();
    if (eventIds.length === 0) return counts;
    const rows: { id: string; status: DeliveryStatus; count: number | string }[] =
      await this.database.read((manager) =>
        manager.query(
          `SELECT event_id AS id, status, COUNT(*) AS count FROM delivery
           WHERE event_id IN (${marks(eventIds.length)}) GROUP BY event_id, status`,
          eventIds,
        ),
      );
    for (const { id, status, count } of rows) {
      counts.set(id, { ...counts.get(id), [status]: Number(count) });
    }
    return counts;
  }

  /** Of these pushes those with deliveries that wait after a failure, and how these stand. */
  async failingOf(eventIds: string[]): Promise<Map<string, FailingDeliveries>> {
    if (eventIds.length === 0) return new Map();
    const rows: {
      id: string;
      count: number | string;
      attempts: number | string;
      next: number | string;
      error: string | null;
    }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT event_id AS id, COUNT(*) AS count, MAX(attempts) AS attempts,
           MIN(next_attempt_at) AS next, MAX(last_error) AS error
         FROM delivery ${this.hint('delivery_event')}
         WHERE event_id IN (${marks(eventIds.length)}) AND status = 'pending' AND attempts > 0
         GROUP BY event_id`,
        eventIds,
      ),
    );
    return new Map(
      rows.map(({ id, count, attempts, next, error }) => [
        id,
        {
          count: Number(count),
          attempts: Number(attempts),
          nextAttemptAt: Number(next),
          lastError: error,
        },
      ]),
    );
  }

  /** How many deliveries of each of these subscriptions are still to be made. */
  async pending(subscriptionIds: string[]): Promise<Map<string, number>> {
    if (subscriptionIds.length === 0) return new Map();
    const rows: { id: string; pending: number | string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT subscription_id AS id, COUNT(*) AS pending FROM delivery
         WHERE status = 'pending' AND subscription_id IN (${marks(subscriptionIds.length)})
         GROUP BY subscription_id`,
        subscriptionIds,
      ),
    );
    return new Map(rows.map(({ id, pending }) => [id, Number(pending)]));
  }

  /** The pushes of the newest `among` dead deliveries, the newest push first. */
  async deadEvents(among: number): Promise<string[]> {
    return this.database.read(async (manager) => {
      const platforms = await this.platforms(manager);
      const walks = platforms.map(
        ([platform], part) =>
          `SELECT * FROM (SELECT id, event_id FROM delivery ${this.hint('delivery_component')}
           WHERE ${platform} AND status = 'dead' ORDER BY id DESC LIMIT ${among}) AS walk_${part}`,
      );
      const rows: { push: string }[] = await manager.query(
        `SELECT DISTINCT event_id AS push
         FROM (${walks.join(' UNION ALL ')} ORDER BY id DESC LIMIT ${among}) AS dead
         ORDER BY push DESC`,
        platforms.flatMap(([, ...values]) => values),
      );
      return rows.map(({ push }) => push);
    });
  }

  /** When the newest delivery of each that was taken was taken, in Unix milliseconds. */
  async lastDelivered(subscriptionIds: string[]): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const id of subscriptionIds) {
      const [row]: { finished_at: number | string | null }[] = await this.database.read((manager) =>
        manager.query(
          `SELECT finished_at FROM delivery ${this.hint('delivery_subscription')}
           WHERE subscription_id = ? AND status = 'delivered' ORDER BY id DESC LIMIT 1`,
          [id],
        ),
      );
      if (row) found.set(id, Number(row.finished_at));
    }
    return found;
  }

  /** How many deliveries of a platform are still to be made, `most` at the most. */
  pendingOf(componentAppId: string, most: number): Promise<number> {
    return this.countIn(
      `SELECT id FROM delivery ${this.hint('delivery_component')}
       WHERE component_appid = ? AND status = 'pending' LIMIT ${most}`,
      [componentAppId],
    );
  }

  /** How many of a platform's newest dead deliveries were given up since a time (Unix milliseconds). */
  deadSince(componentAppId: string, time: number, among: number): Promise<number> {
    return this.countIn(
      `SELECT finished_at FROM delivery ${this.hint('delivery_component')}
       WHERE component_appid = ? AND status = 'dead' ORDER BY id DESC LIMIT ${among}`,
      [componentAppId, time],
      'WHERE finished_at >= ?',
    );
  }

  private async countIn(select: string, values: unknown[], where = ''): Promise<number> {
    const [row]: { count: number | string }[] = await this.database.read((manager) =>
      manager.query(`SELECT COUNT(*) AS count FROM (${select}) AS found ${where}`, values),
    );
    return Number(row?.count ?? 0);
  }

  /**
   * The ids between which a search by time looks: those of the nearest rows outside. A row within
   * the time may have a smaller id than the first one within.
   */
  private async rangeOf(
    { from, to, before }: DeliverySearch,
    manager: EntityManager,
  ): Promise<Condition[]> {
    const range: Condition[] = before === undefined ? [] : [['id < ?', before]];
    const outside = async (where: string, order: string, time: number): Promise<string[]> => {
      const statement = `SELECT id FROM delivery WHERE created_at ${where} ? ORDER BY created_at ${order}, id ${order} LIMIT 1`;
      return (await manager.query<{ id: string }[]>(statement, [time])).map(({ id }) => id);
    };
    if (from !== undefined) {
      const [last] = await outside('<', 'DESC', from - DISORDER_MS);
      if (last !== undefined) range.push(['id > ?', last]);
    }
    if (to !== undefined) {
      const [first] = await outside('>=', 'ASC', to + DISORDER_MS);
      if (first !== undefined) range.push(['id < ?', first]);
    }
    return range;
  }

  private async idsIn(
    range: Condition[],
    search: DeliverySearch,
    limit: number,
    manager: EntityManager,
  ): Promise<DeliveryPage<string>> {
    const platforms = isByStatus(search) ? await this.platforms(manager) : [];
    const { index, walks, rest } = planOf(search, platforms);
    const table = `delivery ${this.hint(index)}`;
    const found = async (extra: Condition[], tail: string): Promise<string[]> => {
      const parts = walks.map((walk) => [...walk, ...range, ...extra]);
      const selects = parts.map(
        (conditions, part) =>
          `SELECT * FROM (SELECT id FROM ${table}${whereOf(conditions)} ` +
          `ORDER BY id DESC ${tail}) AS walk_${part}`,
      );
      const rows = await manager.query<{ id: string }[]>(
        `${selects.join(' UNION ALL ')} ORDER BY id DESC LIMIT ${limit}`,
        parts.flat().flatMap(([, ...values]) => values),
      );
      return rows.map(({ id }) => id);
    };
    const times = timesOf(search);
    const [since] = rest.length > 0 ? await found([], `LIMIT 1 OFFSET ${SEARCHED - 1}`) : [];
    const bound: Condition[] = since === undefined ? [] : [['id >= ?', since]];
    const rows = await found([...bound, ...times, ...rest], `LIMIT ${limit}`);
    return { rows, next: (rows.length === limit ? rows.at(-1) : since) ?? null };
  }

  /**
   * What each platform's deliveries are found by; the last one finds those from before the column.
   */
  private async platforms(manager: EntityManager): Promise<Condition[]> {
    const found = await distinctAlong(manager, 'delivery', 'component_appid');
    const each = found.map((id): Condition => ['component_appid = ?', id]);
    return [...each, ['component_appid IS NULL']];
  }

  /** An index is named so that statistics of the table never choose another one. */
  private hint(index: string | undefined): string {
    const { dialect } = this.database;
    if (index === undefined && dialect === 'sqlite') return '';
    return alongIndex(dialect, index ?? 'PRIMARY');
  }
}

/** A condition and the values for its placeholders. */
type Condition = [sql: string, ...values: (string | number)[]];

/** How a search is made: along an index, whose parts that are walked each have the order of ids. */
interface Plan {
  /** Undefined for the primary key. */
  index: string | undefined;
  walks: Condition[][];
  /** What the index does not have. */
  rest: Condition[];
}

/** Whether nothing leads to deliveries but their status: they lie together within a platform. */
function isByStatus({
  event,
  account,
  subscription,
  component,
  ...search
}: DeliverySearch): boolean {
  const { statuses, type } = search;
  if (statuses === undefined || (event ?? account ?? subscription ?? component) !== undefined) {
    return false;
  }
  return type === undefined || isRare(statuses);
}

function isRare(statuses: DeliveryStatus[] | undefined): boolean {
  return statuses !== undefined && !statuses.includes('delivered');
}

/**
 * Along the index that is expected to leave the fewest.
 * @param platforms by which to find those of all platforms, where {@link isByStatus} says so.
 */
function planOf(search: DeliverySearch, platforms: Condition[]): Plan {
  const { event, account, subscription, component, type, statuses } = search;
  const all: Partial<Record<string, Condition>> = {
    ...(event !== undefined && { event: ['event_id = ?', event] }),
    ...(account !== undefined && { account: ['authorizer_appid = ?', account] }),
    ...(subscription !== undefined && { subscription: ['subscription_id = ?', subscription] }),
    ...(component !== undefined && { component: ['component_appid = ?', component] }),
    ...(type !== undefined && { type: ['type = ?', type] }),
    ...(statuses && { statuses: [`status IN (${marks(statuses.length)})`, ...statuses] }),
  };
  const plan = (index: string | undefined, led: string[], walks: Condition[][]): Plan => ({
    index,
    walks,
    rest: Object.entries(all).flatMap(([name, condition]) =>
      condition && !led.includes(name) ? [condition] : [],
    ),
  });
  const byStatus = (index: string, name: string, leads: Condition[]): Plan => {
    const walks = leads.flatMap((lead) =>
      (statuses ?? DELIVERY_STATUSES).map((status): Condition[] => [lead, ['status = ?', status]]),
    );
    return plan(index, [name, 'statuses'], walks);
  };
  if (all['event']) return plan('delivery_event', ['event'], [[all['event']]]);
  if (all['account']) return plan('delivery_account', ['account'], [[all['account']]]);
  if (all['subscription']) {
    return byStatus('delivery_subscription', 'subscription', [all['subscription']]);
  }
  if (all['type'] && !isRare(statuses)) return plan('delivery_type', ['type'], [[all['type']]]);
  if (all['component']) {
    return byStatus('delivery_component', 'component', [all['component']]);
  }
  if (isByStatus(search)) return byStatus('delivery_component', 'component', platforms);
  return plan(undefined, [], [[]]);
}

function timesOf({ from, to }: DeliverySearch): Condition[] {
  return [
    ...(from === undefined ? [] : [['created_at >= ?', from] satisfies Condition]),
    ...(to === undefined ? [] : [['created_at < ?', to] satisfies Condition]),
  ];
}

function whereOf(conditions: Condition[]): string {
  if (conditions.length === 0) return '';
  return ` WHERE ${conditions.map(([sql]) => sql).join(' AND ')}`;
}
