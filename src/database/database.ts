import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { HubError } from '../common/hub-error.js';
import { Mutex } from '../common/mutex.js';

/** Times that a transaction is begun again after it lost against another. */
const CONFLICT_RETRIES = 5;
/** MySQL chose it as a deadlock's victim; on SQLite another process wrote since its first read. */
const CONFLICT_CODES = new Set(['ER_LOCK_DEADLOCK', 'SQLITE_BUSY_SNAPSHOT']);
const DUPLICATE_CODES = new Set([
  'ER_DUP_ENTRY',
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
]);
const UNAVAILABLE_CODES =
  /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|PROTOCOL_|POOL_|ER_CON_COUNT|ER_SERVER_SHUTDOWN|ER_ACCESS|ER_OPTION_PREVENTS|SQLITE_(BUSY|FULL|IOERR|READONLY|CANTOPEN|LOCKED))/;

/** The database can't be reached, and nothing was stored (HTTP 503). */
export class DatabaseUnavailableError extends HubError {
  constructor(cause: unknown) {
    super('database_unavailable', 'The database does not answer; try again', {
      status: 503,
      level: 'warn',
      cause,
    });
  }
}

/**
 * The way to the database for features. Every write goes through {@link transaction}:
 * on SQLite all callers share one connection, and a statement sent while somebody else's
 * transaction is open would be rolled back with it. Reads go through {@link read}.
 */
@Injectable()
export class Database implements OnApplicationShutdown {
  private readonly writes = new Mutex();

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  private get manager(): EntityManager {
    return this.dataSource.manager;
  }

  get dialect(): 'sqlite' | 'mysql' {
    return this.dataSource.options.type === 'mysql' ? 'mysql' : 'sqlite';
  }

  /** Options of a find that keep its rows from others until the transaction ends. */
  get forUpdate(): { lock?: { mode: 'pessimistic_write' } } {
    // SQLite has one writer at a time anyway, and no such clause.
    return this.dialect === 'mysql' ? { lock: { mode: 'pessimistic_write' } } : {};
  }

  /**
   * Runs `work` in one transaction: all of it is durable when this resolves, none if it rejects.
   * `work` may run again after a conflict, so it must do nothing but write.
   * @throws {DatabaseUnavailableError} when the database can't be reached.
   */
  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const run = (): Promise<T> => retryConflicts(() => this.runTransaction(work));
    return this.guard(() => (this.dialect === 'sqlite' ? this.writes.run(run) : run()));
  }

  /**
   * Runs one statement that writes. Cheaper than {@link transaction} on MySQL, where it needs none.
   * @throws {DatabaseUnavailableError} when the database can't be reached.
   */
  async write<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.dialect === 'sqlite'
      ? this.transaction(work)
      : this.guard(() => retryConflicts(() => work(this.manager)));
  }

  /**
   * Runs a read.
   * @throws {DatabaseUnavailableError} when the database can't be reached.
   */
  async read<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.guard(() => work(this.manager));
  }

  private async runTransaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await this.manager.transaction(work);
    } catch (error) {
      if (this.dialect === 'sqlite') await this.endBrokenTransaction();
      throw error;
    }
  }

  /**
   * A COMMIT that fails (disk full) ends the transaction in SQLite, but TypeORM, whose ROLLBACK
   * then fails too, goes on as if it were open: later transactions would be savepoints in one that
   * is never committed.
   */
  private async endBrokenTransaction(): Promise<void> {
    const runner = this.dataSource.createQueryRunner() as QueryRunner & TransactionState;
    if (runner.transactionDepth === 0) return;
    await runner.query('ROLLBACK').catch(() => undefined);
    runner.transactionDepth = 0;
    runner.isTransactionActive = false;
  }

  /** Leaves SQLite's file whole: what is in the log beside it would be missing in a copy. */
  async onApplicationShutdown(): Promise<void> {
    if (this.dialect !== 'sqlite' || !this.dataSource.isInitialized) return;
    await this.manager.query('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  private async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isUnavailable(error) ? new DatabaseUnavailableError(error) : error;
    }
  }
}

/** What TypeORM keeps of a transaction in its one SQLite connection. */
interface TransactionState {
  transactionDepth: number;
  isTransactionActive: boolean;
}

/** Whether a write failed because a unique key is taken. */
export function isDuplicateKey(error: unknown): boolean {
  return DUPLICATE_CODES.has(codeOf(error));
}

/** Whether an error means that the database can't be reached, rather than that it said no. */
export function isUnavailable(error: unknown): boolean {
  return UNAVAILABLE_CODES.test(codeOf(error));
}

function codeOf(error: unknown): string {
  const { code, driverError } = (error ?? {}) as {
    code?: unknown;
    driverError?: { code?: unknown };
  };
  return String(driverError?.code ?? code ?? '');
}

async function retryConflicts<T>(run: () => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await run();
    } catch (error) {
      if (retry === CONFLICT_RETRIES || !CONFLICT_CODES.has(codeOf(error))) throw error;
    }
  }
}
