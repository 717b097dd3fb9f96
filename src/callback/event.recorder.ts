import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Database, isDuplicateKey } from '../database/database.js';
import { marks } from '../database/sql.js';
import { writeBatcher } from '../database/write-batcher.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { ArrivedPush } from './arrived-push.js';
import type { CallbackEvent } from './callback-event.entity.js';
import { EventDispatcher } from './event-dispatcher.js';
import type { AfterCommit } from './on-info-type.js';
import type { Outcome, PushContent } from './push-url.js';

/** Least time between two transactions, in milliseconds. */
const PERIOD_MS = 5;
/** Length of the columns for InfoType, MsgType, Event and openids. */
const NAME_LENGTH = 64;

/** A verified push with the facts of its arrival. */
export interface Arrival extends Pick<PushContent, 'outcome' | 'forHub'> {
  push: ArrivedPush;
  facts: Pick<CallbackEvent, 'sourceAddress' | 'keyUsed' | 'replayKey' | 'dedupKey'>;
}

/** What became of a push: recorded now, or before. */
export interface Recorded {
  /** Its row: that of the first one, where it was pushed before. */
  id: string;
  /** When the first one arrived, in Unix milliseconds. */
  receivedAt: number;
  repeated: boolean;
  outcome: Outcome;
  /** The passive reply that the row has, encrypted for the database. */
  reply: string | null;
}

/** Rows by what makes two pushes the same one. */
type Known = Map<string, Recorded>;

/**
 * Makes pushes durable: the record and all that its handlers write are one transaction, shared by
 * the pushes that come at once. A push seen before changes nothing, and is not told to anybody.
 */
@Injectable()
export class EventRecorder {
  private readonly logger = new Logger(EventRecorder.name);
  private readonly batcher = writeBatcher<Arrival, Recorded>(
    (items) => this.write(items),
    PERIOD_MS,
  );

  constructor(
    private readonly database: Database,
    private readonly dispatcher: EventDispatcher,
    private readonly box: SecretBox,
  ) {}

  /** Resolves when the push is in the database. */
  record(arrival: Arrival): Promise<Recorded> {
    return this.batcher.add(arrival);
  }

  private async write(items: Arrival[]): Promise<Recorded[]> {
    try {
      return await this.writeOnce(items, new Map());
    } catch (error) {
      // Repetitions are rare, so they are looked for only when a unique key has met one.
      if (!isDuplicateKey(error)) throw error;
      return this.writeOnce(items, await this.knownOf(items));
    }
  }

  /** @param known rows that are there already; those of this batch are added. */
  private async writeOnce(items: Arrival[], known: Known): Promise<Recorded[]> {
    const fresh: Arrival[] = [];
    const results = items.map((item) => {
      const before = keysOf(item.facts).map((key) => known.get(key));
      const first = before.find((row) => row !== undefined);
      if (first) return { ...first, repeated: true };
      fresh.push(item);
      const { id, receivedAt } = item.push;
      const row = { id, receivedAt, outcome: item.outcome, reply: null, repeated: false };
      for (const key of keysOf(item.facts)) known.set(key, row);
      return row;
    });
    if (fresh.length > 0) await this.insertAndTell(fresh);
    return results;
  }

  private async insertAndTell(fresh: Arrival[]): Promise<void> {
    const forOthers = fresh.filter(({ forHub }) => !forHub);
    const later = await this.database.transaction(async (manager) => {
      const work = await this.dispatcher.dispatch(
        fresh.map(({ push }) => push),
        forOthers.map(({ push }) => push),
        manager,
      );
      await this.insert(fresh, manager);
      return work;
    });
    for (const work of later) void this.runLater(work);
  }

  /** Raw statements here and below: on this path the ORM costs more than the query. */
  private async knownOf(items: Arrival[]): Promise<Known> {
    const replayKeys = items.map(({ facts }) => facts.replayKey);
    const dedupKeys = items.flatMap(({ facts }) => facts.dedupKey ?? []);
    const select =
      'SELECT id, received_at, replay_key, dedup_key, outcome, reply FROM callback_event WHERE ';
    const statement =
      `${select} replay_key IN (${marks(replayKeys.length)})` +
      (dedupKeys.length === 0 ? '' : ` UNION ${select} dedup_key IN (${marks(dedupKeys.length)})`);
    const rows: KeyRow[] = await this.database.read((manager) =>
      manager.query(statement, [...replayKeys, ...dedupKeys]),
    );
    return new Map(
      rows.flatMap((row) => {
        const { id, outcome, reply } = row;
        const receivedAt = Number(row.received_at);
        const recorded = { id, receivedAt, outcome, reply, repeated: true };
        const keys = keysOf({ replayKey: row.replay_key, dedupKey: row.dedup_key });
        return keys.map((key): [string, Recorded] => [key, recorded]);
      }),
    );
  }

  private async insert(items: Arrival[], manager: EntityManager): Promise<void> {
    const rows = items.map((item) => Object.entries(this.columnsOf(item)));
    const names = rows[0]?.map(([name]) => name) ?? [];
    const places = `(${marks(names.length)})`;
    await manager.query(
      `INSERT INTO callback_event (${names.join(', ')}) VALUES ` +
        rows.map(() => places).join(', '),
      rows.flatMap((row) => row.map(([, value]) => value)),
    );
  }

  private columnsOf({ push, facts, outcome }: Arrival): Record<string, unknown> {
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
      replay_key: facts.replayKey,
      dedup_key: facts.dedupKey,
      problem: push.problem,
      outcome,
      payload: this.box.seal(push.text, secretLocation(encryptedColumns.callbackPayload, push.id)),
    };
  }

  private async runLater(work: AfterCommit): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn('Work after a push failed; it is tried again by its owner', error);
    }
  }
}

interface KeyRow {
  id: string;
  received_at: number | string;
  replay_key: string;
  dedup_key: string | null;
  outcome: Outcome;
  reply: string | null;
}

function keysOf({ replayKey, dedupKey }: Pick<CallbackEvent, 'replayKey' | 'dedupKey'>): string[] {
  return dedupKey === null ? [`replay ${replayKey}`] : [`replay ${replayKey}`, `dedup ${dedupKey}`];
}
