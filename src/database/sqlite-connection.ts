import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { Mutex } from '../common/mutex.js';
import { SqliteFileWatch } from './sqlite-file-watch.js';
import { codeOf, DatabaseUnavailableError, isLocked } from './database-error.js';

/** Time between two looks at a file that another program has locked, in milliseconds. */
const LOOK_MS = 20;

type Work<T> = (manager: EntityManager) => Promise<T>;

/**
 * The one connection to a SQLite file. Its statements, all but COMMIT, run on the event loop, so none
 * of them waits: one that finds the file locked by another program fails at once and is tried again
 * by a timer.
 *
 * ```
 *   write ──▶ wait for its turn ──▶ BEGIN IMMEDIATE ──▶ work ──▶ COMMIT
 *                    │               │  ▲    │
 *                    │          locked└──┘    │ limit
 *                    │ limit                 ▼
 *                    └────────▶ DatabaseUnavailableError
 * ```
 *
 * The limit counts from the call: of a thousand that wait for a file that stays locked, none waits
 * longer than it would alone.
 */
export class SqliteConnection {
  private readonly turns = new Mutex();

  private readonly file: SqliteFileWatch | undefined;

  constructor(private readonly dataSource: DataSource) {
    const { type, database } = dataSource.options;
    if (type === 'better-sqlite3') this.file = new SqliteFileWatch(database);
  }

  /** @throws where the file is no longer under its name. */
  checkFile(): void {
    this.file?.check();
  }

  /**
   * Runs `work` in one transaction.
   * @param limitMs longest wait for its turn and for the file, in milliseconds. Work that has begun is finished.
   * @throws {DatabaseUnavailableError} at the limit.
   */
  write<T>(work: Work<T>, limitMs: number): Promise<T> {
    return this.inTurn((until) => untilFree(until, () => this.transact(work)), limitMs);
  }

  /**
   * Runs a read, beside whatever is written.
   * @throws {DatabaseUnavailableError} when the file stays locked until the limit.
   */
  read<T>(work: Work<T>, limitMs: number): Promise<T> {
    return untilFree(performance.now() + limitMs, () => work(this.dataSource.manager));
  }

  private inTurn<T>(run: (until: number) => Promise<T>, limitMs: number): Promise<T> {
    const until = performance.now() + limitMs;
    return new Promise<T>((resolve, reject) => {
      let givenUp = false;
      const timer = setTimeout(() => {
        givenUp = true;
        reject(new DatabaseUnavailableError(lockedError()));
      }, limitMs);
      const turn = async (): Promise<void> => {
        // The timer may be late: those whose time is over must not try one after the other first.
        if (givenUp || performance.now() >= until) return;
        // From here on `run` keeps the limit, and what it has begun is not left.
        clearTimeout(timer);
        await run(until).then(resolve, reject);
      };
      void this.turns.run(turn);
    });
  }

  private async transact<T>(work: Work<T>): Promise<T> {
    this.checkFile();
    try {
      return await this.dataSource.manager.transaction(work);
    } catch (error) {
      await endBrokenTransaction(this.dataSource.createQueryRunner());
      throw error;
    }
  }
}

/**
 * Tries until the file is not locked by another program, while the event loop goes on.
 * @param until end of the wait, by `performance.now()`.
 * @param onWait called once, when a wait begins.
 * @throws what the last try threw.
 */
export async function untilFree<T>(
  until: number,
  work: () => Promise<T>,
  onWait?: () => void,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isLocked(error) || performance.now() >= until) throw error;
      if (tries === 1) onWait?.();
      await delay(LOOK_MS);
    }
  }
}

/**
 * After a COMMIT that fails (disk full) or a BEGIN (file locked) SQLite has no transaction, but
 * TypeORM, whose ROLLBACK then fails too, goes on as if there were one: later transactions would
 * be savepoints in one that is never committed.
 */
export async function endBrokenTransaction(sqlite: QueryRunner): Promise<void> {
  const runner = sqlite as QueryRunner & TransactionState;
  if (!runner.isTransactionActive) return;
  await runner.query('ROLLBACK').catch(() => undefined);
  runner.transactionDepth = 0;
  runner.isTransactionActive = false;
}

/** What TypeORM keeps of a transaction in its one SQLite connection. */
interface TransactionState {
  transactionDepth: number;
  isTransactionActive: boolean;
}

/** Longest that a start waits for the file, in milliseconds. */
const START_LIMIT_MS = 60_000;

/** For what a hub must do with the file before it can serve: it has time, and says that it waits. */
export function untilFreeAtStart<T>(work: () => Promise<T>): Promise<T> {
  return untilFree(performance.now() + START_LIMIT_MS, work, () =>
    new Logger('Database').warn('Another program has locked the database file; waiting for it'),
  );
}

/** Longest that a stop waits for others to let go of the file, in milliseconds. */
const CHECKPOINT_LIMIT_MS = 1000;

/** Moves what is in the log beside the file into it; where others use the file, it stays there. */
export async function checkpointBeforeClose(dataSource: DataSource): Promise<void> {
  try {
    await untilFree(performance.now() + CHECKPOINT_LIMIT_MS, async () => {
      const [row] = await dataSource.query('PRAGMA wal_checkpoint(TRUNCATE)');
      if (Number(row?.busy) !== 0) throw lockedError();
    });
  } catch (error) {
    const message = 'The newest data stays in the -wal file beside the database file: it is in use';
    new Logger('Database').warn(message, { code: codeOf(error) });
  }
}

function lockedError(): Error {
  const message =
    'Another program has kept the database file locked, or earlier work has not ended';
  return Object.assign(new Error(message), { code: 'SQLITE_BUSY' });
}
