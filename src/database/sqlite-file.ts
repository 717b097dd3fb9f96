import { accessSync, constants, mkdirSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileErrorCode, fileProblem } from '../common/file-problem.js';
import { codeOf } from './database-error.js';

/** Why the database cannot be had at the start. */
export interface StartProblem {
  /** One line for the person who can change it, with nothing secret in it. */
  what: string;
  /** Whether it stays as it is for as long as nobody changes something. */
  lasting: boolean;
}

/** Below so many free bytes SQLite cannot even make the index of its log (32 KiB). */
const FULL_BELOW = 64 * 1024;
const FULL = 'the disk is full. Make room, or use another place';

/** Beginnings of the codes of SQLite that mean something to a person. */
const CODES: [code: string, what: string][] = [
  ['SQLITE_FULL', FULL],
  [
    'SQLITE_READONLY',
    'it can be read, but not written: look at its file system and at who owns it',
  ],
  ['SQLITE_NOTADB', 'it is no SQLite database, or an encrypted one'],
  ['SQLITE_CORRUPT', 'it is damaged; restore a backup'],
  ['SQLITE_IOERR', 'the disk, or the network that it is on, fails'],
  ['SQLITE_CANTOPEN', 'SQLite cannot open it'],
  ['SQLITE_PERM', 'SQLite may not open it'],
];

/**
 * Looks whether a SQLite file, its log and its folder can be used, and makes the folder: SQLite
 * itself says no more than "14" about any of them.
 */
export function sqliteFileProblem(path: string): StartProblem | undefined {
  const folder = dirname(path);
  return (
    problemOf(folder, 'made', () => mkdirSync(folder, { recursive: true })) ??
    // The log comes and goes beside the file.
    problemOf(folder, 'written', () => accessSync(folder, constants.W_OK | constants.X_OK)) ??
    [path, `${path}-wal`, `${path}-shm`]
      .map((file) => problemOf(file, 'opened', () => openable(file)))
      .find((problem) => problem !== undefined)
  );
}

/** What an error of SQLite's own says about the file. */
export function sqliteStartProblem(error: unknown, path: string): StartProblem | undefined {
  const code = codeOf(error);
  const [, what] = CODES.find(([beginning]) => code.startsWith(beginning)) ?? [];
  const message = error instanceof Error ? error.message : '';
  // libsql gives no code where the file cannot be opened at all.
  const [, number] = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(message) ?? [];
  if (what) return lasting(`${path} cannot be used: ${isFull(path) ? FULL : what} (${code})`);
  return number ? lasting(`${path} cannot be opened: SQLite's code is ${number}`) : undefined;
}

/** On a full disk SQLite speaks of a failure of the disk, or of a file that it cannot open. */
function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BELOW;
  } catch {
    return false;
  }
}

function openable(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat) return;
  if (stat.isDirectory()) throw Object.assign(new Error('It is a folder'), { code: 'EISDIR' });
  accessSync(file, constants.R_OK | constants.W_OK);
}

function problemOf(
  path: string,
  use: 'made' | 'written' | 'opened',
  attempt: () => void,
): StartProblem | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (fileErrorCode(error) === '') throw error;
    return lasting(fileProblem(path, use, error));
  }
}

function lasting(what: string): StartProblem {
  return { what, lasting: true };
}
