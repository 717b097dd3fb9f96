import { Injectable } from '@nestjs/common';
import { In, type EntityManager, type SelectQueryBuilder } from 'typeorm';
import { MINUTE_MS } from '../common/times.js';
import { Database } from '../database/database.js';
import { insertRows } from '../database/insert-rows.js';
import { alongIndex, distinctAlong, marks } from '../database/sql.js';
import { writeBatcher } from '../database/write-batcher.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { firstText, readPushText } from '../wechat-crypto/push-text.js';
import type { Push, Outcome } from './push.js';
import { CallbackEvent } from './callback-event.entity.js';
import type { PushContent } from './push-url.js';

/** Least time between two statements that store replies, in milliseconds. */
const REPLIES_PERIOD_MS = 5;
/** Length of the columns for InfoType, MsgType, Event and openids. */
const NAME_LENGTH = 64;
/** By how much the order of ids may differ from that of the times beside them, in milliseconds. */
const DISORDER_MS = MINUTE_MS;
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
  'sourceAddress',
  'keyUsed',
  'problem',
  'outcome',
] as const satisfies (keyof CallbackEvent)[];

/** A push that is to be recorded. */
export interface NewPush
  extends
    Pick<PushContent, 'dedupKey' | 'outcome' | 'forHub'>,
    Pick<CallbackEvent, 'sourceAddress' | 'keyUsed'> {
  push: Push;
}

/** What became of a push: recorded now, or before. */
export interface RecordedPush {
  /** Its row: that of the first one, where it was pushed before. */
  id: string;
  /** When the first one arrived, in Unix milliseconds. */
  receivedAt: number;
  repeated: boolean;
  outcome: Outcome;
  /** The passive reply that the row has, encrypted for the database. */
  reply: string | null;
}

/** A recorded push without its content. */
export type ListedPush = Pick<CallbackEvent, (typeof LISTED)[number]>;

/** A recorded push whose time is over. */
export type OldPush = Pick<ListedPush, 'id' | 'infoType' | 'receivedAt'>;

/** Which recorded pushes are listed; what is absent restricts nothing. */
export interface PushSearch {
  componentAppId?: string | undefined;
  authorizerAppId?: string | undefined;
  kind?: CallbackEvent['kind'] | undefined;
  /** To the byte. */
  infoType?: string | undefined;
  /** This InfoType as the database compares texts, and groups them in an index. */
  alike?: string | undefined;
  /** Events of any InfoType but this one; of a text without one no index knows that it is an event. */
  exceptInfoType?: string | undefined;
  /** InfoType, MsgType or Event. */
  type?: string | undefined;
  /** What WeChat was answered. */
  outcome?: Outcome | undefined;
  /** One of these. */
  ids?: string[] | undefined;
  /** The user's openid. */
  fromUser?: string | undefined;
  /** Received at this time or later, in Unix milliseconds. */
  from?: number | undefined;
  /** Received before this time, in Unix milliseconds. */
  to?: number | undefined;
  /** Recorded before the push of this id. */
  before?: string | undefined;
  /** The push of this id, or recorded after it. */
  since?: string | undefined;
}

/** Ids between which a search looks. */
export type PushRange = Pick<PushSearch, 'before' | 'since'>;

type RawSearch = Omit<PushSearch, 'ids'>;

/** Pushes that lie together in an index: those of one InfoType, or messages and events (''). */
type PushGroup = Pick<CallbackEvent, 'componentAppId' | 'infoType'>;

/**
 * The table `callback_event`: pushes as they were recorded, encrypted. Raw statements where pushes
 * come in: on that path the ORM costs more than the query.
 */
@Injectable()
export class PushStore {
  private readonly replies = writeBatcher<{ id: string; reply: string }, void>(
    (items) => this.writeReplies(items),
    { periodMs: REPLIES_PERIOD_MS },
  );

  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** @throws an error of which `isDuplicateKey` is true, where one of them was recorded before. */
  async insert(pushes: NewPush[], manager: EntityManager): Promise<void> {
    const rows = pushes.map((one) => this.columnsOf(one));
    await insertRows(manager, 'callback_event', rows);
  }

  /** Of these pushes, those that were recorded before, by their key. */
  async known(pushes: NewPush[]): Promise<Map<string, RecordedPush>> {
    const rows: KnownRow[] = await this.database.read((manager) =>
      manager.query(
        'SELECT id, received_at, dedup_key, outcome, reply FROM callback_event ' +
          `WHERE dedup_key IN (${marks(pushes.length)})`,
        pushes.map(({ dedupKey }) => dedupKey),
      ),
    );
    return new Map(
      rows.map(({ dedup_key: key, received_at: receivedAt, ...row }) => [
        key,
        { ...row, receivedAt: Number(receivedAt), repeated: true },
      ]),
    );
  }

  /** Stores the passive reply of a push, for its repetitions; resolves when it is in the row. */
  keepReply(id: string, text: string): Promise<void> {
    const location = secretLocation(encryptedColumns.callbackReply, id);
    return this.replies.add({ id, reply: this.box.seal(text, location) });
  }

  /** The reply of a push, not encrypted for WeChat; undefined where there is none (yet). */
  async replyOf(id: string): Promise<string | undefined> {
    const [row]: Pick<CallbackEvent, 'outcome' | 'reply'>[] = await this.database.read((manager) =>
      manager.query('SELECT outcome, reply FROM callback_event WHERE id = ?', [id]),
    );
    if (row?.outcome !== 'reply') return undefined;
    return this.openReply({ id, reply: row.reply }) ?? undefined;
  }

  /** Whether a push was answered with a passive reply. */
  async hasReply(id: string): Promise<boolean> {
    const where = { id, outcome: 'reply' as const };
    return this.database.read((manager) => manager.existsBy(CallbackEvent, where));
  }

  /** The reply that a row has, decrypted; null for none. @throws {SecretUnreadableError} */
  openReply({ id, reply }: Pick<CallbackEvent, 'id' | 'reply'>): string | null {
    if (reply === null) return null;
    return this.box.open(reply, secretLocation(encryptedColumns.callbackReply, id)).reveal();
  }

  /** One with its content, which {@link open} and {@link openReply} decrypt. */
  find(id: string): Promise<CallbackEvent | null> {
    return this.database.read((manager) => manager.findOneBy(CallbackEvent, { id }));
  }

  /**
   * Pushes as they were when they arrived, by id; those that are no longer stored are missing. An
   * error stands for one that is there and cannot be decrypted.
   */
  async read(ids: string[]): Promise<Map<string, Push | Error>> {
    if (ids.length === 0) return new Map();
    const rows = await this.database.read((manager) =>
      manager.find(CallbackEvent, { where: { id: In([...new Set(ids)]) } }),
    );
    return new Map(rows.map((row) => [row.id, this.openOrError(row)]));
  }

  /** A push as it was when it arrived. @throws {SecretUnreadableError} */
  open(row: CallbackEvent): Push {
    const location = secretLocation(encryptedColumns.callbackPayload, row.id);
    const text = this.box.open(row.payload, location).reveal();
    const { format, fields, problem } = readPushText(text);
    return {
      id: row.id,
      kind: row.kind,
      componentAppId: row.componentAppId,
      authorizerAppId: row.authorizerAppId,
      // The columns are cut to their length; the text has the names whole.
      infoType:
        row.kind === 'authorization' ? firstText(fields, 'InfoType') || row.infoType : row.infoType,
      msgType: row.msgType && (firstText(fields, 'MsgType') || row.msgType),
      event: row.event && (firstText(fields, 'Event') || row.event),
      fromUser: row.fromUser && (firstText(fields, 'FromUserName') || row.fromUser),
      createTime: row.createTime,
      receivedAt: row.receivedAt,
      fields,
      text,
      format,
      problem: row.problem ?? problem,
    };
  }

  /** A page in the order of recording, newest first, whatever the clocks said then. */
  page(search: PushSearch, limit: number): Promise<ListedPush[]> {
    return this.database.read((manager) =>
      selectOf(manager, search).orderBy('push.id', 'DESC').limit(limit).getMany(),
    );
  }

  /** The same of InfoTypes, which lie together by platform: the messages beside them are not read. */
  async pageOfInfoTypes(search: PushSearch, limit: number): Promise<ListedPush[]> {
    const { componentAppId } = search;
    const ids: string[] = [];
    const platforms =
      componentAppId === undefined
        ? await this.database.read((manager) =>
            distinctAlong(manager, 'callback_event', 'component_appid'),
          )
        : [componentAppId];
    for (const one of platforms) {
      const ofPlatform = { ...search, componentAppId: one };
      ids.push(...(await this.idsAlong('callback_event_kind', ofPlatform, limit)));
    }
    const newest = ids.toSorted().toReversed().slice(0, limit);
    return newest.length === 0 ? [] : this.page({ ids: newest }, limit);
  }

  /** The same along the primary key, for searches that no index finds. */
  async walk(search: PushSearch, limit: number): Promise<ListedPush[]> {
    const ids = await this.idsAlong('PRIMARY', search, limit);
    return ids.length === 0 ? [] : this.page({ ids }, limit);
  }

  /** The id of the oldest of the newest `count` pushes in a range; undefined where it has fewer. */
  async idBehind(count: number, range: PushRange): Promise<string | undefined> {
    const [id] = await this.idsAlong('PRIMARY', range, 1, count - 1);
    return id;
  }

  /** Between which pushes those lie that were received in a time, whichever index finds them. */
  async rangeOf({ from, to, before }: PushSearch): Promise<PushRange> {
    const since = from === undefined ? undefined : await this.idBeside('<', from - DISORDER_MS);
    const end = to === undefined ? undefined : await this.idBeside('>=', to + DISORDER_MS);
    return { since, before: before && end && before < end ? before : (end ?? before) };
  }

  private async idBeside(side: '<' | '>=', time: number): Promise<string | undefined> {
    const order = side === '<' ? 'DESC' : 'ASC';
    const [row]: { id: string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT id FROM callback_event WHERE received_at ${side} ?
         ORDER BY received_at ${order}, id ${order} LIMIT 1`,
        [time],
      ),
    );
    return row?.id;
  }

  /** All that a search finds in pages, by the time of their arrival, oldest first. */
  byArrival(search: PushSearch, size: number): AsyncGenerator<ListedPush[]> {
    return this.pagesByArrival(search, size, LISTED);
  }

  /**
   * Pushes whose time is over, in pages. An index finds them: those that stay are not read.
   * @param timeOf before which time those of an InfoType (messages and events: '') are old, in Unix
   * milliseconds.
   */
  async *older(timeOf: (infoType: string) => number, size: number): AsyncGenerator<OldPush[]> {
    let group = await this.groupAfter({ componentAppId: '', infoType: '' });
    while (group) {
      const { componentAppId, infoType: alike } = group;
      const old = { componentAppId, alike, to: timeOf(alike) };
      // Only what the index itself has: with more columns MySQL may choose another one.
      yield* this.pagesByArrival(old, size, ['id', 'infoType', 'receivedAt']);
      group = await this.groupAfter(group);
    }
  }

  async remove(ids: string[], manager: EntityManager): Promise<void> {
    await manager.delete(CallbackEvent, { id: In(ids) });
  }

  private async *pagesByArrival<C extends keyof ListedPush>(
    search: PushSearch,
    size: number,
    columns: readonly (C | 'id' | 'receivedAt')[],
  ): AsyncGenerator<Pick<ListedPush, C | 'id' | 'receivedAt'>[]> {
    let [id, receivedAt] = ['', 0];
    for (;;) {
      const page = await this.database.read((manager) =>
        selectOf(manager, search, columns)
          .andWhere('push.receivedAt >= :receivedAt', { receivedAt })
          .andWhere('(push.receivedAt > :receivedAt OR push.id > :id)', { id })
          .orderBy('push.receivedAt', 'ASC')
          .addOrderBy('push.id', 'ASC')
          .limit(size)
          .getMany(),
      );
      if (page.length > 0) yield page;
      if (page.length < size) return;
      ({ id, receivedAt } = page.at(-1) ?? { id, receivedAt });
    }
  }

  /** Ids, newest first, by an index that is named so that statistics never choose another one. */
  private idsAlong(index: string, search: RawSearch, limit: number, offset = 0): Promise<string[]> {
    const { dialect } = this.database;
    const isOwn = index === 'PRIMARY' && dialect === 'sqlite';
    const hint = alongIndex(dialect, isOwn ? 'sqlite_autoindex_callback_event_1' : index);
    const { where, values } = whereOf(search);
    return this.database.read(async (manager) => {
      const rows: { id: string }[] = await manager.query(
        `SELECT push.id FROM callback_event AS push ${hint} ${where}
         ORDER BY push.id DESC LIMIT ${limit} OFFSET ${offset}`,
        values,
      );
      return rows.map(({ id }) => id);
    });
  }

  /** Two looks into the index: what it costs does not depend on how many pushes there are. */
  private async groupAfter({ componentAppId, infoType }: PushGroup): Promise<PushGroup | null> {
    const columns = 'SELECT component_appid, info_type FROM callback_event WHERE ';
    const rows: { component_appid: string; info_type: string }[] = await this.database.read(
      async (manager) => {
        const same = `${columns} component_appid = ? AND info_type > ? ORDER BY info_type LIMIT 1`;
        const found = await manager.query(same, [componentAppId, infoType]);
        if (found.length > 0) return found;
        const next = `${columns} component_appid > ? ORDER BY component_appid, info_type LIMIT 1`;
        return manager.query(next, [componentAppId]);
      },
    );
    const [row] = rows;
    return row ? { componentAppId: row.component_appid, infoType: row.info_type } : null;
  }

  private openOrError(row: CallbackEvent): Push | Error {
    try {
      return this.open(row);
    } catch (error) {
      return error as Error;
    }
  }

  private async writeReplies(items: { id: string; reply: string }[]): Promise<void[]> {
    const cases = items.map(() => 'WHEN ? THEN ?').join(' ');
    const ids = items.map(({ id }) => id);
    await this.database.write((manager) =>
      manager.query(
        `UPDATE callback_event SET outcome = 'reply', reply = CASE id ${cases} END
         WHERE id IN (${marks(ids.length)})`,
        [...items.flatMap(({ id, reply }) => [id, reply]), ...ids],
      ),
    );
    return items.map(() => undefined);
  }

  private columnsOf({ push, ...facts }: NewPush): Record<string, unknown> {
    return {
      id: push.id,
      component_appid: push.componentAppId,
      kind: push.kind,
      info_type: push.infoType.slice(0, NAME_LENGTH),
      authorizer_appid: push.authorizerAppId,
      msg_type: push.msgType?.slice(0, NAME_LENGTH) ?? null,
      event: push.event?.slice(0, NAME_LENGTH) ?? null,
      from_user: push.fromUser?.slice(0, NAME_LENGTH) ?? null,
      create_time: push.createTime,
      received_at: push.receivedAt,
      source_address: facts.sourceAddress,
      key_used: facts.keyUsed,
      replay_key: '',
      dedup_key: facts.dedupKey,
      problem: push.problem,
      outcome: facts.outcome,
      payload: this.box.seal(push.text, secretLocation(encryptedColumns.callbackPayload, push.id)),
    };
  }
}

interface KnownRow {
  id: string;
  received_at: number | string;
  dedup_key: string;
  outcome: Outcome;
  reply: string | null;
}

/** By which condition each part of a search is found. */
const CONDITIONS: Record<keyof PushSearch, string> = {
  componentAppId: 'push.component_appid = :componentAppId',
  authorizerAppId: 'push.authorizer_appid = :authorizerAppId',
  kind: 'push.kind = :kind',
  // MySQL's comparison of texts leaves out case and trailing spaces; that of their bytes does not.
  infoType: '(push.info_type = :infoType AND HEX(push.info_type) = HEX(:infoType))',
  alike: 'push.info_type = :alike',
  exceptInfoType: "(push.info_type > '' AND push.info_type <> :exceptInfoType)",
  type: '(push.info_type = :type OR push.msg_type = :type OR push.event = :type)',
  outcome: 'push.outcome = :outcome',
  ids: 'push.id IN (:...ids)',
  fromUser: 'push.from_user = :fromUser',
  from: 'push.received_at >= :from',
  to: 'push.received_at < :to',
  before: 'push.id < :before',
  since: 'push.id >= :since',
};

function selectOf(
  manager: EntityManager,
  search: PushSearch,
  columns: readonly (keyof ListedPush)[] = LISTED,
): SelectQueryBuilder<CallbackEvent> {
  const found = manager
    .createQueryBuilder(CallbackEvent, 'push')
    .select(columns.map((name) => `push.${name}`));
  for (const [name, value] of partsOf(search)) found.andWhere(CONDITIONS[name], { [name]: value });
  return found;
}

/** A search as a statement has it that is written by hand. */
function whereOf(search: RawSearch): { where: string; values: unknown[] } {
  const parts = partsOf(search);
  const values: unknown[] = [];
  const conditions = parts.map(([name, value]) =>
    CONDITIONS[name].replaceAll(`:${name}`, () => {
      values.push(value);
      return '?';
    }),
  );
  return { where: parts.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`, values };
}

function partsOf(search: PushSearch): [keyof PushSearch, unknown][] {
  const parts = Object.entries(search) as [keyof PushSearch, unknown][];
  // An empty `before` asks for the first page.
  return parts.filter(
    ([name, value]) => value !== undefined && (name !== 'before' || value !== ''),
  );
}
