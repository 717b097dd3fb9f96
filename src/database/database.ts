import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { Mutex } from '../common/mutex.js';
import { DatabaseUnavailableError, isConflict, isUnavailable } from './database-error.js';
import { MysqlConnections } from './mysql-connections.js';

export { DatabaseUnavailableError, isDuplicateKey } from './database-error.js';

/** Times that a transaction is begun again after it lost against another. */
const CONFLICT_RETRIES = 5;
/**
 * Longest that a unit of work may take on MySQL, in milliseconds: the wait for a connection and
 * repetitions included, and less than the 4.5 s after which a push is answered in any case.
 */
const WORK_LIMIT_MS = 4000;
/**
 * The same for maintenance that goes through whole tables and that nobody waits for, in
 * milliseconds.
 */
export const LONG_WORK_LIMIT_MS = 60_000;
/** Takes all the ways of a write, and leaves everything as it is. */
const CHANGE_OF_NOTHING = 'UPDATE migrations SET name = name WHERE id = 1';

/**
 * The way to the database for features. Every write goes through {@link transaction} or {@link write}:
 * on SQLite all callers share one connection, and a statement sent while somebody else's
 * transaction is open would be rolled back with it. Reads go through {@link read}.
 */
@Injectable()
export class Database implements OnApplicationShutdown {
  private readonly mutex = new Mutex();
  private readonly mysql: MysqlConnections | undefined;
  /** Whether the newest write failed because the database was not available. */
  private writesFail = false;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {
    if (this.dialect === 'mysql') this.mysql = new MysqlConnections(dataSource);
  }

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
   * @param limitMs longest that it may take on MySQL, in milliseconds.
   * @throws {DatabaseUnavailableError} when the database can't be reached, or at the limit.
   */
  transaction<T>(work: Work<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    return this.noted(() =>
      this.mysql
        ? this.mysql.run((manager) => retryConflicts(() => manager.transaction(work)), limitMs)
        : this.mutex.run(() => this.runOnSqlite(work)),
    );
  }

  /**
   * Runs one statement that writes. Cheaper than {@link transaction} on MySQL, where it needs none.
   * @param limitMs longest that it may take on MySQL, in milliseconds.
   * @throws {DatabaseUnavailableError} when the database can't be reached, or at the limit.
   */
  write<T>(work: Work<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    const { mysql } = this;
    return mysql
      ? this.noted(() => mysql.run((manager) => retryConflicts(() => work(manager)), limitMs))
      : this.transaction(work);
  }

  /**
   * Runs a read.
   * @param limitMs longest that it may take on MySQL, in milliseconds.
   * @throws {DatabaseUnavailableError} when the database can't be reached, or at the limit.
   */
  read<T>(work: Work<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    return guard(() => (this.mysql ? this.mysql.run(work, limitMs) : work(this.manager)));
  }

  /**
   * Whether the database can be used. Most of the time a read shows it; after a write that failed
   * only another write can, because a disk may be full, or a server read-only, and still be read.
   * @throws {DatabaseUnavailableError} when it can't.
   */
  async check(): Promise<void> {
    if (this.writesFail) await this.transaction((manager) => manager.query(CHANGE_OF_NOTHING));
    else await this.read((manager) => manager.query('SELECT 1'));
  }

  private async noted<T>(write: () => Promise<T>): Promise<T> {
    try {
      const result = await guard(write);
      this.writesFail = false;
      return result;
    } catch (error) {
      if (error instanceof DatabaseUnavailableError) this.writesFail = true;
      throw error;
    }
  }

  private async runOnSqlite<T>(work: Work<T>): Promise<T> {
    try {
      return await this.manager.transaction(work);
    } catch (error) {
      await this.endBrokenTransaction();
      throw error;
    }
  }

  /**
   * After a COMMIT that fails (disk full) or a BEGIN (file locked) SQLite has no transaction, but
   * TypeORM, whose ROLLBACK then fails too, goes on as if there were one: later transactions would
   * be savepoints in one that is never committed.
   */
  private async endBrokenTransaction(): Promise<void> {
    const runner = this.dataSource.createQueryRunner() as QueryRunner & TransactionState;
    if (!runner.isTransactionActive) return;
    await runner.query('ROLLBACK').catch(() => undefined);
    runner.transactionDepth = 0;
    runner.isTransactionActive = false;
  }

  /** Leaves SQLite's file whole: what is in the log beside it would be missing in a copy. */
  async onApplicationShutdown(): Promise<void> {
    if (this.dialect !== 'sqlite' || !this.dataSource.isInitialized) return;
    await this.manager.query('PRAGMA wal_checkpoint(TRUNCATE)');
  }
}

type Work<T> = (manager: EntityManager) => Promise<T>;

/** What TypeORM keeps of a transaction in its one SQLite connection. */
interface TransactionState {
  transactionDepth: number;
  isTransactionActive: boolean;
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isUnavailable(error) ? new DatabaseUnavailableError(error) : error;
  }
}

async function retryConflicts<T>(run: () => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry += 1) {
    try {
      return await run();
    } catch (error) {
      if (retry === CONFLICT_RETRIES || !isConflict(error)) throw error;
    }
  }
}
