import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { fileProblem } from '../common/file-problem.js';
import { within } from '../common/time-limit.js';
import { ConfigError } from '../config/app-config.js';
import { isCluster, withClusterLock } from './cluster-lock.js';
import { applyLongTextColumns } from './column-types.js';
import { isLocked, isUnavailable } from './database-error.js';
import {
  checkpointBeforeClose,
  endBrokenTransaction,
  untilFreeAtStart,
} from './sqlite-connection.js';
import { sqliteFileProblem } from './sqlite-file.js';
import { startError, startProblem, toConfigError } from './start-problem.js';

/** Name of the lock under which one host migrates while the others wait. */
const MIGRATION_LOCK = 'component-hub-migrations';
/** Seconds to wait for another host's migrations. */
const MIGRATION_LOCK_SECONDS = 60;
/** A database that starts beside the hub may take its time. */
const CONNECT_TRIES = 30;
const CONNECT_RETRY_MS = 1000;
/** Longest that closing waits for statements under way, in milliseconds. */
const CLOSE_LIMIT_MS = 1000;

/**
 * Closed, it leaves the whole of a SQLite database in its one file, and does not wait for a MySQL
 * server that may have died without a word.
 */
class HubDataSource extends DataSource {
  override async destroy(): Promise<void> {
    if (this.options.type !== 'mysql') {
      await checkpointBeforeClose(this);
      return super.destroy();
    }
    // A connection that breaks while it is closed is closed.
    await within(
      CLOSE_LIMIT_MS,
      super.destroy().catch(() => undefined),
      () => undefined,
    );
  }
}

/**
 * Connects and brings the schema up to date; hosts that start together migrate once.
 * @throws {ConfigError} in one line, where a person has to change something.
 */
export async function openDataSource(options?: DataSourceOptions): Promise<DataSource> {
  if (!options) throw new Error('Data source options are missing');
  try {
    return await openAndMigrate(options);
  } catch (error) {
    throw await startError(error, options);
  }
}

/** @throws {ConfigError} where the file of a SQLite database, or its folder, cannot be used. */
export function refuseUnusableFile(options: DataSourceOptions): void {
  if (options.type !== 'better-sqlite3') return;
  const problem = sqliteFileProblem(options.database);
  if (problem) throw toConfigError(problem.what);
}

/** Longest that a look at a database waits for it, in milliseconds. */
const LOOK_LIMIT_MS = 5000;

/**
 * Connects and changes nothing. Where there is no way, what is returned is not connected, with the
 * problem for people.
 * @param known a problem for which it is not tried.
 */
export async function openUnchanged(
  options: DataSourceOptions | undefined,
  known: string | undefined,
): Promise<{ dataSource: DataSource; problem: string | undefined }> {
  if (!options) throw new Error('Data source options are missing');
  const dataSource = new DataSource(options);
  if (known !== undefined) return { dataSource, problem: known };
  try {
    if (options.type === 'better-sqlite3') refuseMissingFile(options.database);
    await within(LOOK_LIMIT_MS, dataSource.initialize(), () => {
      throw toConfigError(`no answer within ${LOOK_LIMIT_MS / 1000} s`);
    });
    applyLongTextColumns(dataSource);
    return { dataSource, problem: undefined };
  } catch (error) {
    const found = await startError(error, options);
    const problem = found instanceof ConfigError ? lineOf(found) : (error as Error).message;
    return { dataSource: new DataSource(options), problem };
  }
}

/** @throws {ConfigError} where there is no such file, or it cannot be reached. */
export function refuseMissingFile(path: string): void {
  try {
    statSync(path);
  } catch (error) {
    throw toConfigError(fileProblem(path, 'opened', error));
  }
}

/** The problem without its heading and the name of its variable. */
function lineOf({ message }: ConfigError): string {
  return message.replace(/^.*\n\s*DATABASE_URL: /s, '');
}

async function openAndMigrate(options: DataSourceOptions): Promise<DataSource> {
  refuseUnusableFile(options);
  const dataSource = await connect(options);
  try {
    applyLongTextColumns(dataSource);
    await migrate(dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

async function connect(options: DataSourceOptions): Promise<DataSource> {
  const logger = new Logger('Database');
  for (let tries = 1; ; tries += 1) {
    try {
      return await new HubDataSource(options).initialize();
    } catch (error) {
      const problem = startProblem(error, options);
      const passing = problem ? !problem.lasting : isUnavailable(error);
      // A locked file has been waited for.
      if (tries === CONNECT_TRIES || !passing || isLocked(error)) throw error;
      const { code } = error as { code?: string };
      const what = problem?.what;
      logger.warn('The database does not answer yet; trying again', { tries, code, what });
      await delay(CONNECT_RETRY_MS);
    }
  }
}

async function migrate(dataSource: DataSource): Promise<void> {
  if (dataSource.options.type === 'mysql') await migrateMysql(dataSource);
  else await migrateSqlite(dataSource);
}

/**
 * The right to write comes first, so that of the processes that start on one file the others see what
 * the first has done. A process that is killed meanwhile leaves neither a lock nor half of a schema.
 */
async function migrateSqlite(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  // Outside of the transaction, in which SQLite would ignore it: tables are made again by migrations.
  await runner.beforeMigration();
  try {
    await beginWhenFree(runner);
    await dataSource.runMigrations({ transaction: 'none' });
    await runner.commitTransaction();
  } catch (error) {
    await endBrokenTransaction(runner);
    throw error;
  }
  await runner.afterMigration();
}

async function beginWhenFree(runner: QueryRunner): Promise<void> {
  await untilFreeAtStart(async () => {
    try {
      await runner.startTransaction();
    } catch (error) {
      await endBrokenTransaction(runner);
      throw error;
    }
  });
}

async function migrateMysql(dataSource: DataSource): Promise<void> {
  if (await isCluster(dataSource)) {
    return withClusterLock(dataSource, MIGRATION_LOCK_SECONDS, () => dataSource.runMigrations());
  }
  const lockHolder = dataSource.createQueryRunner();
  try {
    const [row] = await lockHolder.query('SELECT GET_LOCK(?, ?) AS locked', [
      MIGRATION_LOCK,
      MIGRATION_LOCK_SECONDS,
    ]);
    if (Number(row.locked) !== 1) throw new Error('Another host has been migrating for too long');
    await dataSource.runMigrations();
    await lockHolder.query('SELECT RELEASE_LOCK(?)', [MIGRATION_LOCK]);
  } finally {
    await lockHolder.release();
  }
}
