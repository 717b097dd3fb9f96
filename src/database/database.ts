import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import { SingleFlight } from '../common/single-flight.js';
import {
  codeOf,
  DatabaseUnavailableError,
  isConflict,
  isNotTaken,
  isUnavailable,
} from './database-error.js';
import { MysqlConnections } from './mysql-connections.js';
import { SqliteConnection } from './sqlite-connection.js';
import { WriteFootprint, WriteHealth, type FailedWrite } from './write-health.js';
import { clearProbe, fillProbe } from './write-probe.js';

export { DatabaseUnavailableError, isDuplicateKey } from './database-error.js';

/** Times that a transaction is begun again after it lost against another. */
const CONFLICT_RETRIES = 5;
/** Longest pause before the first of them, in milliseconds; each further one twice as long. */
const CONFLICT_PAUSE_MS = 5;
/**
 * Longest that a unit of work may take, in milliseconds: on MySQL the wait for a connection and
 * repetitions included, on SQLite until it begins. Less than the 4.5 s after which a push is
 * answered in any case.
 */
const WORK_LIMIT_MS = 4000;
/**
 * The same for maintenance that goes through whole tables and that nobody waits for, in
 * milliseconds.
 */
export const LONG_WORK_LIMIT_MS = 60_000;

/**
 * The way to the database for features. Every write goes through {@link transaction} or {@link write}:
 * on SQLite all callers share one connection, and a statement sent while somebody else's
 * transaction is open would be rolled back with it. Reads go through {@link read}.
 */
@Injectable()
export class Database {
  private readonly mysql: MysqlConnections | undefined;
  private readonly sqlite: SqliteConnection;
  private readonly writes = new WriteHealth();
  private readonly probes = new SingleFlight<void>();

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {
    if (this.dialect === 'mysql') this.mysql = new MysqlConnections(dataSource);
    this.sqlite = new SqliteConnection(dataSource);
  }

  get dialect(): 'sqlite' | 'mysql' {
    return this.dataSource.options.type === 'mysql' ? 'mysql' : 'sqlite';
  }

  /** Options of a find that keep its rows from others until the transaction ends. */
  get forUpdate(): { lock?: { mode: 'pessimistic_write' } } {
    // SQLite has one writer at a time anyway, and no such clause.
    return this.dialect === 'mysql' ? { lock: { mode: 'pessimistic_write' } } : {};
  }

  /** The newest write that failed because the database was not available, and whether it is over. */
  get lastFailedWrite(): (FailedWrite & { over: boolean }) | undefined {
    const { last, isFailing } = this.writes;
    return last && { ...last, over: !isFailing };
  }

  /**
   * Runs `work` in one transaction: all of it is durable when this resolves, none if it rejects.
   * `work` may run again after a conflict, so it must do nothing but write.
   * @param limitMs longest that it may take, in milliseconds; on SQLite, to begin.
   * @throws {DatabaseUnavailableError} when the database can't be used, or at the limit.
   */
  transaction<T>(work: Work<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    return this.noted((footprint) => this.transact(work, limitMs, footprint));
  }

  /**
   * Runs one statement that writes. Cheaper than {@link transaction} on MySQL, where it needs none.
   * @param limitMs longest that it may take, in milliseconds; on SQLite, to begin.
   * @throws {DatabaseUnavailableError} when the database can't be used, or at the limit.
   */
  write<T>(work: Work<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    const { mysql } = this;
    if (!mysql) return this.transaction(work, limitMs);
    return this.noted((footprint) =>
      mysql.run(
        (manager) => retryConflicts(() => followed(manager, work, footprint)),
        limitMs,
        // Of a connection that broke it is not known whether the statement was run.
        isNotTaken,
      ),
    );
  }

  /**
   * Runs a read.
   * @param limitMs longest that it may take, in milliseconds; on SQLite, to begin.
   * @throws {DatabaseUnavailableError} when the database can't be reached, or at the limit.
   */
  read<T>(work: Work<T>, limitMs = WORK_LIMIT_MS): Promise<T> {
    return guard(() =>
      this.mysql ? this.mysql.run(work, limitMs, () => true) : this.sqlite.read(work, limitMs),
    );
  }

  /**
   * Whether the database can be used. Most of the time a read shows it; after a write that failed
   * only one that is as heavy can, because a disk may be full, or a server read-only, and still be
   * read.
   * @throws {DatabaseUnavailableError} when it can't.
   */
  async check(): Promise<void> {
    if (!this.writes.isFailing) {
      await guard(async () => this.sqlite.checkFile());
      await this.read((manager) => manager.query('SELECT 1'));
      return;
    }
    // A probe that is under way may have begun before the database was repaired: its failure says
    // nothing, and the next one is shared by all who ask meanwhile.
    await this.probes.run('probe', () => this.probe()).catch(() => undefined);
    if (this.writes.isFailing) await this.probes.run('probe', () => this.probe());
  }

  private async probe(): Promise<void> {
    const size = this.writes.probeSize;
    const begunAt = performance.now();
    await guard(async () => {
      await this.transact((manager) => fillProbe(size, manager));
      await this.transact(clearProbe);
    });
    this.writes.probed(size, begunAt);
    if (this.writes.isFailing) throw new DatabaseUnavailableError(undefined);
  }

  private transact<T>(
    work: Work<T>,
    limitMs = WORK_LIMIT_MS,
    footprint = new WriteFootprint(),
  ): Promise<T> {
    // Once COMMIT is on its way it is not known whether it was run.
    let committing = false;
    const follow: Work<T> = async (manager) => {
      const result = await followed(manager, work, footprint);
      committing = true;
      return result;
    };
    return this.mysql
      ? this.mysql.run(
          (manager) =>
            retryConflicts(() => {
              committing = false;
              return manager.transaction(follow);
            }),
          limitMs,
          () => !committing,
        )
      : this.sqlite.write(follow, limitMs);
  }

  private async noted<T>(write: (footprint: WriteFootprint) => Promise<T>): Promise<T> {
    const footprint = new WriteFootprint();
    try {
      const result = await guard(() => write(footprint));
      this.writes.succeeded(footprint);
      return result;
    } catch (error) {
      if (error instanceof DatabaseUnavailableError) {
        this.writes.failed(footprint, codeOf(error), this.clock.now());
      }
      throw error;
    }
  }
}

/** One that could not be opened. */
export class AbsentDatabase extends Database {
  override transaction<T>(): Promise<T> {
    return this.read();
  }

  override write<T>(): Promise<T> {
    return this.read();
  }

  override check(): Promise<void> {
    return this.read();
  }

  override async read<T>(): Promise<T> {
    throw new DatabaseUnavailableError(undefined);
  }
}

type Work<T> = (manager: EntityManager) => Promise<T>;

/** Runs `work` and notes what it writes. */
async function followed<T>(
  manager: EntityManager,
  work: Work<T>,
  footprint: WriteFootprint,
): Promise<T> {
  footprint.clear();
  const stop = footprint.watch(manager.queryRunner);
  try {
    return await work(manager);
  } finally {
    stop();
  }
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
      // Nodes of a cluster that want the same rows would else meet again at each commit.
      await delay(Math.random() * CONFLICT_PAUSE_MS * 2 ** retry);
    }
  }
}
