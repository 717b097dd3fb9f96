import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';
import { DataSource } from 'typeorm';
import { CommandError } from '../common/command-error.js';
import { OWN_FILE } from '../common/file-modes.js';
import { fileErrorCode, fileProblem } from '../common/file-problem.js';
import { migrations } from '../database/migrations/index.js';
import {
  encryptedColumns,
  secretLocation,
  type EncryptedColumn,
} from '../secrets/encrypted-columns.js';
import { keyIdIn } from '../secrets/keys-in-use.js';
import { SEALED_PREFIX, type SecretBox } from '../secrets/secret-box.js';
import { COPY_SETTING, parseMark, type CopyMark } from './copy-mark.js';

/** Longest wait for a lock of the file that is backed up, in milliseconds; reading needs none of a hub's. */
const LOCK_WAIT_MS = 10_000;
/** Ends of the names of the files beside a database that SQLite takes for a part of it. */
const LOGS = ['-wal', '-shm', '-journal'];
/** Codes by which SQLite says that a file is no database, or no longer one. */
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT)/;

/** What was made, or put into its place. */
export interface BackupFacts extends CopyMark {
  bytes: number;
}

/**
 * Copies a SQLite database into one file as it is at one moment, while hubs run and write, and marks
 * the file as a copy. The file is whole under its name, or not there.
 * @param overwrite whether a file of that name is replaced.
 * @throws {CommandError} also for a database whose copy {@link readBackup} would refuse.
 */
export function writeBackup(
  database: string,
  file: string,
  { overwrite }: { overwrite: boolean },
): BackupFacts {
  if (existsSync(file) && !overwrite) {
    throw new CommandError(`${file} is there already: name another one, or say --overwrite`);
  }
  refuseLogs(file);
  const part = `${file}.part`;
  try {
    return onFiles(part, () => {
      mkdirSync(dirname(part), { recursive: true });
      removeDatabase(part);
      withDatabase(database, { timeout: LOCK_WAIT_MS }, (source) => {
        refusePrograms(source, database);
        source.prepare('VACUUM INTO ?').run(part);
      });
      const mark = withDatabase(part, {}, markCopy);
      flush(part);
      renameSync(part, file);
      flush(dirname(file));
      return { ...mark, bytes: statSync(file).size };
    });
  } finally {
    removeDatabase(part);
  }
}

/**
 * What a file of {@link writeBackup} says of itself, after a look at all of it.
 * @throws {CommandError} for a file that is damaged, not whole, no such copy, or made by a newer
 * version.
 */
export async function readBackup(file: string): Promise<CopyMark> {
  refuseLogs(file);
  const { mark, made, tables } = onFiles(file, () =>
    withDatabase(file, {}, (copy) => {
      copy.pragma('query_only = 1');
      // First: a view of that name could make every look at a table endless.
      refusePrograms(copy, file);
      refuseDamaged(copy, file);
      return contentOf(copy);
    }),
  );
  if (!mark || made.length === 0)
    throw new CommandError(`${file} was not made by "npm run backup"`);
  const lacking = (await tablesAfter(made, file)).filter((name) => !tables.has(name));
  if (lacking.length === 0) return mark;
  throw new CommandError(`${file} lacks tables of its version: ${lacking.join(', ')}`);
}

/**
 * Puts a copy in the place of a database that nobody uses, or that is damaged. What is there is kept
 * beside it, with logs that a database has left.
 * @returns the paths of what was there.
 * @throws {CommandError} where it is in use, or there and `overwrite` is not said.
 */
export function placeBackup(
  file: string,
  database: string,
  { overwrite, now }: { overwrite: boolean; now: Date },
): string[] {
  const isThere = existsSync(database);
  if (isThere && !overwrite) {
    throw new CommandError(
      `${database} is there already: --overwrite keeps it under another name and takes its place`,
    );
  }
  const staged = `${database}.restoring`;
  return onFiles(database, () => {
    mkdirSync(dirname(database), { recursive: true });
    removeDatabase(staged);
    copyFileSync(file, staged);
    chmodSync(staged, OWN_FILE);
    flush(staged);
    const kept = `${database}.replaced-${now.toISOString().replaceAll(/[-:.]/g, '')}`;
    const swap = (): string[] => {
      // SQLite would replay a log that stays over the copy.
      const there = ['', ...LOGS].filter((end) => existsSync(database + end));
      for (const end of there) renameSync(database + end, kept + end);
      renameSync(staged, database);
      flush(dirname(database));
      return there.map((end) => kept + end);
    };
    try {
      withDatabase(staged, {}, (copy) => refuseDamaged(copy, staged));
      return isThere ? whileUnused(database, swap, swap) : swap();
    } finally {
      removeDatabase(staged);
    }
  });
}

/**
 * Runs `work` while no other program has a SQLite database open, its log written into it.
 * @param whenDamaged what is done instead with one that SQLite cannot read; where it is not even a
 * database, whether another program has it open is not known.
 * @throws {CommandError} where another one has.
 */
function whileUnused<T>(
  database: string,
  work: (own: Libsql.Database) => T,
  whenDamaged?: () => T,
): T {
  return withDatabase(database, { timeout: 0 }, (own) => {
    try {
      // Each connection to a database with a log holds a lock that this needs for itself. It is
      // asked for first, since it is had of a damaged database as well.
      own.pragma('locking_mode = EXCLUSIVE');
      own.exec('BEGIN EXCLUSIVE; COMMIT');
      own.pragma('journal_mode = DELETE');
      own.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      const code = fileErrorCode(error);
      if (whenDamaged && DAMAGED.test(code)) return whenDamaged();
      if (!code.startsWith('SQLITE_BUSY')) throw error;
      throw new CommandError(`${database} is in use: stop the hubs and programs that have it open`);
    }
    const result = work(own);
    own.exec('COMMIT');
    return result;
  });
}

/**
 * Marks a database that came back by other means than {@link placeBackup}, and that nobody uses.
 * @throws {CommandError} where it is in use, or not readable under the keys.
 */
export function markDatabase(database: string, box: SecretBox): CopyMark {
  return onFiles(database, () =>
    whileUnused(database, (own) => {
      refuseMissing(keyIdsOf(own), box);
      refuseUnreadable(own, box);
      return markCopy(own);
    }),
  );
}

/** @throws {CommandError} where the secrets of a copy cannot be read under the keys. */
export function refuseOtherKeys(file: string, { masterKeys }: CopyMark, box: SecretBox): void {
  refuseMissing(masterKeys, box);
  onFiles(file, () => withDatabase(file, {}, (copy) => refuseUnreadable(copy, box)));
}

/** Ids of the master keys under which the values of a database are. */
export function masterKeysOf(database: string): string[] {
  return onFiles(database, () => withDatabase(database, {}, keyIdsOf));
}

/** Writes the mark into a database that is open. */
function markCopy(copy: Libsql.Database): CopyMark {
  const mark: CopyMark = { madeAt: new Date().toISOString(), masterKeys: keyIdsOf(copy) };
  copy
    .prepare('INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)')
    .run(COPY_SETTING, JSON.stringify(mark));
  return mark;
}

/** Ids of the master keys under which any value is. */
function keyIdsOf(copy: Libsql.Database): string[] {
  const ids = new Set<string>();
  for (const { table, column } of encryptedIn(copy)) {
    const statement = `SELECT DISTINCT ${keyIdIn(column)} AS id FROM ${table}`;
    for (const { id } of copy.prepare(statement).all() as { id: string }[]) ids.add(id);
  }
  // Of values that are not encrypted, or are none.
  ids.delete('');
  return [...ids].toSorted();
}

/** @throws {CommandError} where values are under keys that are not there. */
export function refuseMissing(keyIds: string[], box: SecretBox): void {
  const missing = keyIds.filter((id) => !box.hasKey(id));
  if (missing.length === 0) return;
  const named = missing.map((id) => `"${id}"`).join(', ');
  throw new CommandError(`Secrets of the copy are under keys that MASTER_KEYS lacks: ${named}`);
}

/** A key of the same id may be another key: one value of each column is read. */
function refuseUnreadable(copy: Libsql.Database, box: SecretBox): void {
  for (const encrypted of encryptedIn(copy)) {
    const { table, column, identity } = encrypted;
    const statement = `SELECT ${identity.join(', ')}, ${column} AS value FROM ${table}
      WHERE SUBSTR(${column}, 1, ${SEALED_PREFIX.length}) = ? LIMIT 1`;
    const row = copy.prepare(statement).get(SEALED_PREFIX) as Record<string, string> | undefined;
    if (!row) continue;
    const ids = identity.map((name) => String(row[name]));
    const { problem } = box.open(String(row.value), secretLocation(encrypted, ...ids));
    if (problem)
      throw new CommandError(`${problem.message}. MASTER_KEYS has another key of that id`);
  }
}

/** Those of the encrypted columns that a database has: it may be of an earlier version. */
function encryptedIn(copy: Libsql.Database): EncryptedColumn[] {
  const has = copy.prepare('SELECT 1 FROM pragma_table_info(?) WHERE name = ?');
  return Object.values(encryptedColumns).filter(({ table, column }) => has.get(table, column));
}

/** @throws {CommandError} for what would run when tables are used, and no hub makes: triggers, say. */
function refusePrograms(database: Libsql.Database, path: string): void {
  // Views, triggers and virtual tables have no pages of their own.
  const found = database.prepare('SELECT 1 FROM sqlite_master WHERE IFNULL(rootpage, 0) < 1').get();
  if (!found) return;
  throw new CommandError(
    `${path} has views or triggers, which no hub makes. Remove them before a backup`,
  );
}

/** @throws {CommandError} */
function refuseDamaged(database: Libsql.Database, path: string): void {
  const [{ quick_check: checked }] = database.pragma('quick_check') as [{ quick_check: string }];
  if (checked !== 'ok') throw new CommandError(`${path} is damaged: ${checked}`);
}

/** @throws {CommandError} where SQLite would read other things into a copy, or one is in use. */
function refuseLogs(file: string): void {
  const log = LOGS.map((end) => file + end).find((path) => existsSync(path));
  if (log === undefined) return;
  throw new CommandError(
    `${log} is there, which SQLite takes for a part of ${file}: close the program that has that ` +
      `open; if none has, move ${log} away`,
  );
}

/** The mark of a database that may be none of a hub, the migrations that made it, its tables. */
function contentOf(copy: Libsql.Database): {
  mark: CopyMark | undefined;
  made: string[];
  tables: Set<string>;
} {
  const namesIn = (from: string): string[] =>
    (copy.prepare(`SELECT name FROM ${from}`).all() as { name: string }[]).map(({ name }) => name);
  const tables = new Set(namesIn("sqlite_master WHERE type = 'table'"));
  const made = tables.has('migrations') ? namesIn('migrations') : [];
  if (!tables.has('setting')) return { mark: undefined, made, tables };
  const row = copy.prepare('SELECT value FROM setting WHERE name = ?').get(COPY_SETTING);
  return { mark: parseMark((row as { value: string } | undefined)?.value ?? ''), made, tables };
}

/**
 * Names of the tables that a database has after migrations, and all that come before them.
 * @throws {CommandError} where this version does not know one of them.
 */
async function tablesAfter(made: string[], file: string): Promise<string[]> {
  const places = made.map((name) => migrations.findIndex((known) => known.name === name));
  if (places.includes(-1)) {
    throw new CommandError(`${file} was made by a newer version of the hub: update the hub first`);
  }
  const model = await new DataSource({
    type: 'better-sqlite3',
    driver: Libsql,
    database: ':memory:',
    migrations: migrations.slice(0, Math.max(...places) + 1),
    logger: 'debug',
  }).initialize();
  try {
    await model.runMigrations({ transaction: 'none' });
    const rows: { name: string }[] = await model.query(
      "SELECT name FROM sqlite_master WHERE type = 'table'",
    );
    return rows.map(({ name }) => name);
  } finally {
    await model.destroy();
  }
}

function withDatabase<T>(
  path: string,
  options: Libsql.Options,
  work: (database: Libsql.Database) => T,
): T {
  // Of these SQLite says "14" only.
  accessSync(path, constants.R_OK);
  if (!statSync(path).isFile()) throw new CommandError(`${path} is not a file`);
  const database = new Libsql(path, options);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function removeDatabase(path: string): void {
  for (const end of ['', ...LOGS]) rmSync(path + end, { force: true });
}

/** Until it is on the disk: a copy that a power cut takes is none. */
function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Runs work on files; what the system or SQLite says of them becomes a line for a person. */
function onFiles<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const { path: named = path } = error as NodeJS.ErrnoException;
    const code = fileErrorCode(error);
    const message = error instanceof Error ? error.message : '';
    if (code.startsWith('SQLITE_'))
      throw new CommandError(`${path}: SQLite says "${message}" (${code})`);
    if (code !== '') throw new CommandError(fileProblem(named, 'opened', error));
    throw error;
  }
}
