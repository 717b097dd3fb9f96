import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Libsql from 'libsql';
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

/** What was made, or put into its place. */
export interface BackupFacts extends CopyMark {
  bytes: number;
}

/**
 * Copies a SQLite database into one file as it is at one moment, while hubs run and write, and marks
 * the file as a copy. The file is whole under its name, or not there.
 * @param overwrite whether a file of that name is replaced.
 * @throws {CommandError}
 */
export function writeBackup(
  database: string,
  file: string,
  { overwrite }: { overwrite: boolean },
): BackupFacts {
  if (existsSync(file) && !overwrite) {
    throw new CommandError(`${file} is there already: name another one, or say --overwrite`);
  }
  const part = `${file}.part`;
  try {
    return onFiles(part, () => {
      removeDatabase(part);
      withDatabase(database, { timeout: LOCK_WAIT_MS }, (source) => {
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
 * @throws {CommandError} for a file that is damaged, no such copy, or made by a newer version.
 */
export function readBackup(file: string): CopyMark {
  return onFiles(file, () => {
    statSync(file);
    return withDatabase(file, {}, (copy) => {
      copy.pragma('query_only = 1');
      const [{ quick_check: checked }] = copy.pragma('quick_check') as [{ quick_check: string }];
      if (checked !== 'ok') throw new CommandError(`${file} is damaged: ${checked}`);
      const mark = parseMark(valueOf(copy, 'SELECT value FROM setting WHERE name = ?') ?? '');
      if (!mark) throw new CommandError(`${file} was not made by "npm run backup"`);
      refuseNewer(copy, file);
      return mark;
    });
  });
}

/**
 * Puts a copy in the place of a database that nobody uses. One that is there is kept beside it.
 * @returns the path of the one that was there; undefined where there was none.
 * @throws {CommandError} where it is in use, or there and `overwrite` is not said.
 */
export function placeBackup(
  file: string,
  database: string,
  { overwrite, now }: { overwrite: boolean; now: Date },
): string | undefined {
  const isThere = existsSync(database);
  if (isThere && !overwrite) {
    throw new CommandError(
      `${database} is there already: --overwrite keeps it under another name and takes its place`,
    );
  }
  const staged = `${database}.restoring`;
  return onFiles(database, () => {
    copyFileSync(file, staged);
    chmodSync(staged, OWN_FILE);
    flush(staged);
    const kept = `${database}.replaced-${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
    const swap = (): void => {
      if (isThere) renameSync(database, kept);
      renameSync(staged, database);
      flush(dirname(database));
    };
    try {
      if (isThere) whileUnused(database, swap);
      else swap();
    } finally {
      rmSync(staged, { force: true });
    }
    return isThere ? kept : undefined;
  });
}

/**
 * Runs `work` while no other program has a SQLite database open, its log written into it.
 * @throws {CommandError} where another one has.
 */
function whileUnused<T>(database: string, work: (own: Libsql.Database) => T): T {
  return withDatabase(database, { timeout: 0 }, (own) => {
    try {
      // Each connection to a database with a log holds a lock that this needs for itself.
      own.pragma('journal_mode = DELETE');
      own.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      if (!String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY')) throw error;
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

function refuseNewer(copy: Libsql.Database, file: string): void {
  const known = new Set(migrations.map(({ name }) => name));
  const rows = copy.prepare('SELECT name FROM migrations').all() as { name: string }[];
  if (rows.every(({ name }) => known.has(name))) return;
  throw new CommandError(`${file} was made by a newer version of the hub: update the hub first`);
}

function valueOf(copy: Libsql.Database, statement: string): string | undefined {
  const row = copy.prepare(statement).get(COPY_SETTING) as { value?: string } | undefined;
  return row?.value;
}

function withDatabase<T>(
  path: string,
  options: Libsql.Options,
  work: (database: Libsql.Database) => T,
): T {
  const database = new Libsql(path, options);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function removeDatabase(path: string): void {
  for (const end of ['', '-journal', '-wal', '-shm']) rmSync(path + end, { force: true });
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
