import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Batcher } from '../common/batcher.js';
import { Database, DatabaseUnavailableError, isDuplicateKey } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { CallbackEvent } from './callback-event.entity.js';
import { EventDispatcher } from './event-dispatcher.js';
import type { AfterCommit, AuthorizationEvent } from './on-info-type.js';

/** Answer to a push that was accepted: exactly these 7 bytes. */
export const SUCCESS = 'success';
/** Most pushes that one transaction takes. */
const MAX_BATCH = 200;

/** A verified event with the facts of its arrival. */
export interface ArrivedEvent {
  event: AuthorizationEvent;
  row: Omit<CallbackEvent, 'payload' | 'outcome'>;
  xml: string;
}

/** What became of a push: applied now, or applied before. */
export interface Recorded {
  outcome: string;
  repeated: boolean;
}

/**
 * Makes events durable: the record and all that its handlers write are one transaction, shared by
 * the pushes that come at once. A push seen before gets the stored outcome and changes nothing.
 */
@Injectable()
export class EventRecorder {
  private readonly logger = new Logger(EventRecorder.name);
  private readonly batcher = new Batcher<ArrivedEvent, Recorded>(
    (items) => this.write(items),
    MAX_BATCH,
    (error) => error instanceof DatabaseUnavailableError,
  );

  constructor(
    private readonly database: Database,
    private readonly dispatcher: EventDispatcher,
    private readonly box: SecretBox,
  ) {}

  /** Resolves with the stored outcome when the event is in the database. */
  record(arrived: ArrivedEvent): Promise<Recorded> {
    return this.batcher.add(arrived);
  }

  private async write(items: ArrivedEvent[]): Promise<Recorded[]> {
    try {
      return await this.writeOnce(items, new Map());
    } catch (error) {
      // Repetitions are rare, so they are looked for only when the unique key has met one.
      if (!isDuplicateKey(error)) throw error;
      return this.writeOnce(items, await this.outcomesOf(items));
    }
  }

  /** @param outcomes what pushes that are known to be stored were answered, by replay key. */
  private async writeOnce(
    items: ArrivedEvent[],
    outcomes: Map<string, string>,
  ): Promise<Recorded[]> {
    const fresh = new Map<string, ArrivedEvent>();
    const results = items.map((item) => {
      const { replayKey } = item.row;
      const repeated = outcomes.has(replayKey) || fresh.has(replayKey);
      if (!repeated) fresh.set(replayKey, item);
      return { outcome: outcomes.get(replayKey) ?? SUCCESS, repeated };
    });
    const later = await this.database.transaction(async (manager) => {
      const arrived = [...fresh.values()];
      const work = await this.dispatcher.dispatch(
        arrived.map(({ event }) => event),
        manager,
      );
      await this.insert(arrived, manager);
      return work;
    });
    for (const work of later) void this.runLater(work);
    return results;
  }

  /** Raw statements here and below: on this path the ORM costs more than the query. */
  private async outcomesOf(items: ArrivedEvent[]): Promise<Map<string, string>> {
    const keys = items.map(({ row }) => row.replayKey);
    const rows: { replay_key: string; outcome: string }[] = await this.database.read((manager) =>
      manager.query(
        `SELECT replay_key, outcome FROM callback_event WHERE replay_key IN (${marks(keys.length)})`,
        keys,
      ),
    );
    return new Map(rows.map((row) => [row.replay_key, row.outcome]));
  }

  private async insert(items: ArrivedEvent[], manager: EntityManager): Promise<void> {
    if (items.length === 0) return;
    const values = items.flatMap(({ row, xml }) => [
      row.id,
      row.componentAppId,
      row.infoType,
      row.createTime,
      row.receivedAt,
      row.sourceAddress,
      row.keyUsed,
      row.replayKey,
      SUCCESS,
      this.box.seal(xml, secretLocation(encryptedColumns.callbackPayload, row.id)),
    ]);
    await manager.query(
      'INSERT INTO callback_event (id, component_appid, info_type, create_time, received_at, ' +
        'source_address, key_used, replay_key, outcome, payload) VALUES ' +
        items.map(() => `(${marks(10)})`).join(', '),
      values,
    );
  }

  private async runLater(work: AfterCommit): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn('Work after a push failed; it is tried again by its owner', error);
    }
  }
}

function marks(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}
