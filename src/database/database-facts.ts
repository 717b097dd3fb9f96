import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from './database-error.js';
import type { Database } from './database.js';
import { migrations } from './migrations/index.js';

/** What a database says about itself. */
export interface ServerFacts {
  /** `SQLite`, `MySQL` or `MariaDB`. */
  product: string;
  version: string;
  /** The server's own time zone; the hub's sessions have UTC. */
  timeZone: string;
  /** SQLite: how it writes, `wal` where the hub made the file. Empty on MySQL. */
  journal: string;
  /** Tables of the schema whose text is not utf8mb4. */
  otherCharset: string[];
}

type Row = Record<string, unknown>;

export async function serverFacts(database: Database): Promise<ServerFacts> {
  const ask = (statement: string): Promise<Row[]> =>
    database.read((manager) => manager.query(statement));
  if (database.dialect === 'sqlite') {
    const [version] = await ask('SELECT sqlite_version() AS version');
    const [journal] = await ask('PRAGMA journal_mode');
    return {
      product: 'SQLite',
      version: String(version?.version),
      timeZone: '',
      journal: String(journal?.journal_mode),
      otherCharset: [],
    };
  }
  const [row = {}] = await ask(
    'SELECT VERSION() AS version, @@global.time_zone AS zone, @@system_time_zone AS ofSystem',
  );
  const tables = await ask(
    'SELECT TABLE_NAME AS name FROM information_schema.TABLES ' +
      "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_COLLATION NOT LIKE 'utf8mb4%'",
  );
  const version = String(row.version);
  return {
    product: /mariadb/i.test(version) ? 'MariaDB' : 'MySQL',
    version: version.split('-')[0] ?? version,
    timeZone: row.zone === 'SYSTEM' ? String(row.ofSystem) : String(row.zone),
    journal: '',
    otherCharset: tables.map(({ name }) => String(name)),
  };
}

/** The server's clock in Unix milliseconds; undefined where it is this machine's. */
export async function serverClock(database: Database): Promise<number | undefined> {
  if (database.dialect === 'sqlite') return undefined;
  const [row]: Row[] = await database.read((manager) =>
    manager.query('SELECT UNIX_TIMESTAMP(NOW(3)) * 1000 AS now'),
  );
  return Number(row?.now);
}

/** Names of migrations: those that this program has and the database does not, and the other way. */
export async function schemaFacts(
  database: Database,
): Promise<{ missing: string[]; unknown: string[] }> {
  const done = await namesOfDone(database);
  const known = migrations.map(({ name }) => name);
  return {
    missing: known.filter((name) => !done.includes(name)),
    unknown: done.filter((name) => !known.includes(name)),
  };
}

/** None where there is no table of them. */
async function namesOfDone(database: Database): Promise<string[]> {
  try {
    const rows: Row[] = await database.read((manager) =>
      manager.query('SELECT name FROM migrations'),
    );
    return rows.map(({ name }) => String(name));
  } catch (error) {
    if (['ER_NO_SUCH_TABLE', 'SQLITE_ERROR'].includes(codeOf(error))) return [];
    throw error;
  }
}

/** How far a replica is behind its source. */
export interface ReplicationFacts {
  /** Null where it does not run, or does not know. */
  seconds: number | null;
}

/** Undefined where the database is no replica; `hidden` where this user may not see whether it is. */
export async function replicationFacts(
  database: Database,
): Promise<ReplicationFacts | 'hidden' | undefined> {
  if (database.dialect === 'sqlite') return undefined;
  try {
    const [row]: Row[] = await database.read((manager) => manager.query('SHOW REPLICA STATUS'));
    if (!row) return undefined;
    const seconds = row.Seconds_Behind_Source ?? row.Seconds_Behind_Master ?? null;
    return { seconds: seconds === null ? null : Number(seconds) };
  } catch (error) {
    // A server that does not know the statement is too old to be a replica that matters.
    if (/^ER_(SPECIFIC_ACCESS_DENIED|PARSE|UNSUPPORTED_PS)/.test(codeOf(error))) return 'hidden';
    throw error;
  }
}

/** Bytes that this process may still write beside a SQLite file. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}
