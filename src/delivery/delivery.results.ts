import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Database, DatabaseUnavailableError } from '../database/database.js';
import { insertRows } from '../database/insert-rows.js';
import { marks } from '../database/sql.js';
import { writeBatcher } from '../database/write-batcher.js';
import type { Attempt } from './delivery.job.js';
import type { AttemptCause, DeliveryAttempt } from './delivery-attempt.entity.js';
import { DeliveryRow } from './delivery.entity.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { DeliveryStore } from './delivery.store.js';
import { remark } from '../common/remarks.js';

/** A target has taken it, perhaps: what is not stored is delivered twice. */
const SAVE_TRIES = 60;
const SAVE_RETRY_MS = 500;
/** Length of the columns for errors. */
const ERROR_LENGTH = 255;
/** Nobody but the next one of an order waits for a result: those of so many milliseconds share a transaction. */
const PERIOD_MS = 20;

/** An attempt, for its row. */
type AttemptFacts = Omit<DeliveryAttempt, 'id' | 'deliveryId' | 'answer'> & {
  /** The beginning of the target's answer; absent where it was not kept. */
  answer?: string;
};

const CANCELLED = remark('delivery_cancelled');
/** Bytes of an answer that are stored. */
const ANSWER_BYTES = 1024;

/** An attempt as it is stored. */
export function attemptFacts(
  { at, durationMs, status, answer }: Attempt,
  cause: AttemptCause,
  error: string | null,
): AttemptFacts {
  if (answer === undefined) return { at, durationMs, cause, status, error };
  // A character that is cut at the end is left out.
  const bytes = Buffer.from(answer).subarray(0, ANSWER_BYTES);
  const stored = new TextDecoder().decode(bytes, { stream: true });
  return { at, durationMs, cause, status, error, answer: stored };
}

/** What becomes of a delivery. Times are Unix milliseconds. */
export type Outcome =
  /** Taken, given up after the last attempt, or no longer of use. */
  | { status: 'delivered' | 'dead' | 'cancelled'; at: number }
  /** Tried again. */
  | { status: 'pending'; nextAttemptAt: number };

/** How a delivery that this process has leased goes on. */
export interface Result {
  deliveryId: string;
  outcome: Outcome;
  /** Missing where no attempt was made. */
  attempt?: AttemptFacts;
  /** Said in the row where no attempt says it. */
  lastError?: string;
}

/** Stores how deliveries went, many at a time. */
@Injectable()
export class DeliveryResults {
  private readonly logger = new Logger(DeliveryResults.name);
  private readonly batcher = writeBatcher<Result, void>((items) => this.write(items), {
    periodMs: PERIOD_MS,
  });

  constructor(
    private readonly database: Database,
    private readonly store: DeliveryStore,
    private readonly box: SecretBox,
  ) {}

  /**
   * Resolves when it is stored, or will never be. A delivery whose lease another process has
   * taken over meanwhile stays as it is; the attempt was made all the same.
   */
  async save(result: Result): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.batcher.add(result);
      } catch (error) {
        if (tries === SAVE_TRIES || !(error instanceof DatabaseUnavailableError)) {
          this.logger.warn('The result of a delivery is lost; it is delivered again', error);
          return;
        }
        await delay(SAVE_RETRY_MS);
      }
    }
  }

  /**
   * Stores an attempt that a person asked for: it moves no schedule, but may end it.
   * @returns the key of an order in which the next one can be claimed now.
   */
  async saveManual(
    deliveryId: string,
    attempt: AttemptFacts,
    takenAt?: number,
  ): Promise<string | null> {
    return this.database.transaction(async (manager) => {
      await this.insertAttempts([{ deliveryId, attempt }], manager);
      if (takenAt === undefined) return null;
      const where = { id: deliveryId };
      const lock = this.database.forUpdate;
      const before = await manager.findOne(DeliveryRow, { where, ...lock });
      await manager.query(
        `UPDATE delivery SET status = 'delivered', next_attempt_at = NULL, lease_owner = NULL,
         last_error = NULL, finished_at = ? WHERE id = ? AND status <> 'delivered'`,
        [takenAt, deliveryId],
      );
      const orderKey = before?.status === 'pending' ? before.orderKey : null;
      if (orderKey === null) return null;
      const behind = { id: deliveryId, orderKey };
      return (await this.store.releaseBehind(behind, takenAt, manager)) ? orderKey : null;
    });
  }

  /**
   * Ends a delivery that a person does not want made.
   * @returns whether it was pending, and whether the next one of its order can be claimed now.
   */
  async saveCancelled(id: string, at: number): Promise<{ cancelled: boolean; next: boolean }> {
    return this.database.transaction(async (manager) => {
      const where = { id, status: 'pending' as const };
      const row = await manager.findOne(DeliveryRow, { where, ...this.database.forUpdate });
      if (!row) return { cancelled: false, next: false };
      const ended = { nextAttemptAt: null, leaseOwner: null, finishedAt: at };
      const status = 'cancelled' as const;
      await manager.update(DeliveryRow, { id }, { status, ...ended, lastError: CANCELLED });
      const { orderKey } = row;
      if (orderKey === null) return { cancelled: true, next: false };
      return {
        cancelled: true,
        next: await this.store.releaseBehind({ id, orderKey }, at, manager),
      };
    });
  }

  /** Makes those due that have waited for a delivery that has ended, for any process to claim. */
  async releaseBehind(ended: { id: string; orderKey: string }, now: number): Promise<void> {
    await this.database.transaction((manager) => this.store.releaseBehind(ended, now, manager));
  }

  private async write(results: Result[]): Promise<void[]> {
    await this.database.transaction(async (manager) => {
      await this.endTaken(results, manager);
      for (const result of results) {
        if (result.outcome.status !== 'delivered') await this.end(result, manager);
      }
      await this.insertAttempts(results, manager);
    });
    return results.map(() => undefined);
  }

  /** What nearly all are: one statement for all of them. */
  private async endTaken(results: Result[], manager: EntityManager): Promise<void> {
    const taken = results.flatMap(({ deliveryId, outcome }) =>
      outcome.status === 'delivered' ? [{ deliveryId, at: outcome.at }] : [],
    );
    const [first] = taken;
    if (!first) return;
    await manager.query(
      `UPDATE delivery SET status = 'delivered', attempts = attempts + 1, next_attempt_at = NULL,
       lease_owner = NULL, last_error = NULL, finished_at = ?
       WHERE lease_owner = ? AND status = 'pending' AND id IN (${marks(taken.length)})`,
      [first.at, this.store.owner, ...taken.map(({ deliveryId }) => deliveryId)],
    );
  }

  private async end(result: Result, manager: EntityManager): Promise<void> {
    const { deliveryId, outcome, attempt, lastError } = result;
    const error = shortened(attempt?.error ?? lastError ?? null);
    const [next, finished] =
      outcome.status === 'pending' ? [outcome.nextAttemptAt, null] : [null, outcome.at];
    await manager.query(
      `UPDATE delivery SET status = ?, attempts = attempts + ?, next_attempt_at = ?,
       lease_owner = NULL, last_error = COALESCE(?, last_error), finished_at = ?
       WHERE id = ? AND lease_owner = ? AND status = 'pending'`,
      [outcome.status, attempt ? 1 : 0, next, error, finished, deliveryId, this.store.owner],
    );
  }

  private async insertAttempts(
    results: Pick<Result, 'deliveryId' | 'attempt'>[],
    manager: EntityManager,
  ): Promise<void> {
    const rows = results.flatMap(({ deliveryId, attempt }) =>
      attempt ? [this.columnsOf(deliveryId, attempt)] : [],
    );
    await insertRows(manager, 'delivery_attempt', rows);
  }

  private columnsOf(deliveryId: string, made: AttemptFacts): Record<string, unknown> {
    const id = uuidv7();
    return {
      id,
      delivery_id: deliveryId,
      at: made.at,
      duration_ms: made.durationMs,
      cause: made.cause,
      status: made.status,
      error: shortened(made.error),
      answer:
        made.answer === undefined
          ? null
          : this.box.seal(made.answer, secretLocation(encryptedColumns.deliveryAnswer, id)),
    };
  }
}

/** What a column takes, in whole characters: it may hold WeChat's own words, at any length. */
function shortened(error: string | null): string | null {
  return error && [...error].slice(0, ERROR_LENGTH).join('');
}
