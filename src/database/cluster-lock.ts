import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { isConflict } from './database-error.js';

/** How long a host that died may keep the others waiting, in seconds. */
const LEASE_SECONDS = 30;
const RENEW_MS = 10_000;
const TRY_MS = 250;

const TABLE = `CREATE TABLE IF NOT EXISTS migration_lock (
  id INT PRIMARY KEY, owner VARCHAR(36) NOT NULL, lease_until BIGINT NOT NULL)`;
const TAKE = `UPDATE migration_lock SET owner = ?, lease_until = UNIX_TIMESTAMP() + ?
  WHERE id = 1 AND (owner = ? OR lease_until < UNIX_TIMESTAMP())`;

/** Whether the database is a node of Galera, where GET_LOCK and locks of rows are the node's own. */
export async function isCluster(dataSource: DataSource): Promise<boolean> {
  const [row] = await dataSource.query<{ Value: string }[]>("SHOW VARIABLES LIKE 'wsrep_on'");
  return row?.Value === 'ON';
}

/**
 * Runs `work` while no other host does, whichever node of the cluster it uses: a row is leased, and
 * of two who lease it at once Galera lets one commit.
 * @throws {Error} where another host has the lease for longer than `limitSeconds`.
 */
export async function withClusterLock(
  dataSource: DataSource,
  limitSeconds: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const owner = randomUUID();
  const take = async (): Promise<boolean> => {
    const values = [owner, LEASE_SECONDS, owner];
    const result = await unlessConflict<{ affectedRows: number }>(dataSource, TAKE, values);
    return result?.affectedRows === 1;
  };
  const until = performance.now() + limitSeconds * 1000;
  await dataSource.query(TABLE);
  await unlessConflict(dataSource, "INSERT IGNORE INTO migration_lock VALUES (1, '', 0)");
  while (!(await take())) {
    if (performance.now() > until) throw new Error('Another host has been migrating for too long');
    await delay(TRY_MS);
  }
  const renewal = setInterval(() => void take().catch(() => undefined), RENEW_MS);
  try {
    await work();
  } finally {
    clearInterval(renewal);
    const end = 'UPDATE migration_lock SET lease_until = 0 WHERE id = 1 AND owner = ?';
    // Else it ends by itself.
    await unlessConflict(dataSource, end, [owner]).catch(() => undefined);
  }
}

async function unlessConflict<T>(
  dataSource: DataSource,
  sql: string,
  values: unknown[] = [],
): Promise<T | undefined> {
  try {
    return await dataSource.query<T>(sql, values);
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}
