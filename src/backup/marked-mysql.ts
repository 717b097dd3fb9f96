import { DataSource } from 'typeorm';
import { CommandError } from '../common/command-error.js';
import { SystemClock } from '../common/clock.js';
import { HOUR_MS } from '../common/times.js';
import type { AppConfig } from '../config/app-config.js';
import { dataSourceOptions } from '../database/data-source-options.js';
import { Database } from '../database/database.js';
import { openDataSource } from '../database/open-data-source.js';
import { startError } from '../database/start-problem.js';
import { keysInUse } from '../secrets/keys-in-use.js';
import type { SecretBox } from '../secrets/secret-box.js';
import { refuseMissing } from './backup-file.js';
import { COPY_SETTING, type CopyMark } from './copy-mark.js';

/** Longest look for master keys, in milliseconds: every row counts, however many there are. */
const LOOK_LIMIT_MS = HOUR_MS;

/**
 * Marks a MySQL database as a copy that was restored; brings its schema up to date first.
 * @throws {CommandError} where a hub is connected to it, or keys are missing.
 * @throws {ConfigError} where it cannot be reached.
 */
export async function markMysql(
  config: Pick<AppConfig, 'database'>,
  box: SecretBox,
): Promise<CopyMark> {
  await refuseUsed(config);
  const dataSource = await openDataSource(dataSourceOptions(config));
  try {
    const database = new Database(dataSource, new SystemClock());
    const { columns, unfinished } = await keysInUse(database, LOOK_LIMIT_MS);
    if (unfinished.length > 0) {
      throw new CommandError(`Not looked through within an hour: ${unfinished.join(', ')}`);
    }
    const masterKeys = [...new Set(columns.flatMap(({ keyIds }) => keyIds))].toSorted();
    refuseMissing(masterKeys, box);
    const mark: CopyMark = { madeAt: new Date().toISOString(), masterKeys };
    await database.write((manager) =>
      manager.query('REPLACE INTO setting (name, value) VALUES (?, ?)', [
        COPY_SETTING,
        JSON.stringify(mark),
      ]),
    );
    return mark;
  } finally {
    await dataSource.destroy();
  }
}

/** A server shows its user all connections of that user, and so those of the hubs. */
async function refuseUsed(config: Pick<AppConfig, 'database'>): Promise<void> {
  const options = dataSourceOptions(config);
  const dataSource = new DataSource(options);
  try {
    await dataSource.initialize().catch(async (error: unknown) => {
      throw await startError(error, options);
    });
    const [row]: { others: number | string }[] = await dataSource.query(
      `SELECT COUNT(*) AS others FROM information_schema.processlist
       WHERE db = DATABASE() AND id <> CONNECTION_ID()`,
    );
    if (Number(row?.others ?? 0) === 0) return;
    throw new CommandError('The database is in use: stop the hubs and programs that have it open');
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}
