import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Logger } from '@nestjs/common';
import { isForOthers, modeOf, OWN_FILE } from '../common/file-modes.js';
import { fileErrorCode, fileProblem } from '../common/file-problem.js';
import { ConfigError, type AppConfig } from '../config/app-config.js';
import { parseMasterKey, type MasterKey } from '../config/variables.js';

/** Beginning of the ids of keys that stand in a `master.key`; the first ones were called just so. */
export const FILE_KEY_ID = 'file';

/** Id of a master key under which the database holds a value; undefined where nothing is encrypted. */
export type FindKeyInUse = () => Promise<string | undefined>;

/**
 * The keys of `MASTER_KEYS`; without them, on SQLite, a key kept in `master.key` (mode 600)
 * beside the database file. It is made when it is not there and nothing is encrypted yet: a new
 * key beside old values would hide that theirs is lost.
 */
export async function resolveMasterKeys(
  config: Pick<AppConfig, 'database' | 'masterKeys' | 'allowInsecure'>,
  findKeyInUse: FindKeyInUse,
): Promise<MasterKey[]> {
  if (config.masterKeys) return config.masterKeys;
  if (config.database.type === 'mysql') {
    throw new ConfigError(['  MASTER_KEYS: is needed with MySQL']);
  }
  const path = join(dirname(config.database.path), 'master.key');
  const key = await fileKey(path, findKeyInUse);
  checkMode(path, config.allowInsecure.includes('key-file-mode'));
  return [key];
}

/** @throws {ConfigError} for a key that other users of the machine can read or replace. */
function checkMode(path: string, allowed: boolean): void {
  const mode = modeOf(path);
  if (mode === undefined || !isForOthers(mode)) return;
  const what = `the key file ${path} is open to other users (mode ${mode.toString(8)})`;
  if (!allowed) {
    throw new ConfigError([
      `  MASTER_KEYS: ${what}. chmod 600 ${path}, or allow it with ALLOW_INSECURE=key-file-mode`,
    ]);
  }
  new Logger('MasterKeys').warn(`${what}, as ALLOW_INSECURE says`);
}

async function fileKey(path: string, findKeyInUse: FindKeyInUse): Promise<MasterKey> {
  if (!isThere(path)) {
    const inUse = await findKeyInUse();
    // Another process, started together with this one, may just have made both.
    if (inUse !== undefined && !isThere(path)) throw keyLost(path, inUse);
    makeKeyFile(path);
  }
  const key = parseMasterKey(readKeyFile(path).trim());
  if (!key) {
    throw new ConfigError([
      `  MASTER_KEYS: the key file ${path} is damaged; restore it, or set MASTER_KEYS`,
    ]);
  }
  return key;
}

/** A file that cannot be seen is not one that is missing: no key may be made in its place. */
function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return false;
    throw keyFileError(path, 'read', error);
  }
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw keyFileError(path, 'read', error);
  }
}

function makeKeyFile(path: string): void {
  // An id of its own: a value under a lost key then differs from a damaged one.
  const id = `${FILE_KEY_ID}-${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${id}:${randomBytes(32).toString('base64')}\n`, {
      mode: OWN_FILE,
      // Fails if the file is there: two processes that start together keep one key.
      flag: 'wx',
      // Like what is encrypted under it, it must survive a power cut.
      flush: true,
    });
  } catch (error) {
    if (fileErrorCode(error) !== 'EEXIST' || !existsSync(path)) {
      throw keyFileError(path, 'made', error);
    }
  }
}

function keyFileError(path: string, use: 'read' | 'made', error: unknown): ConfigError {
  return new ConfigError([`  MASTER_KEYS: the key file ${fileProblem(path, use, error)}`]);
}

function keyLost(path: string, keyId: string): ConfigError {
  return new ConfigError([
    `  MASTER_KEYS: the database holds secrets under the master key "${keyId}", and there is ` +
      `neither MASTER_KEYS nor the file ${path}. Restore that file from your backup, or set ` +
      'MASTER_KEYS to its content. If the key is lost for good, see docs/operations.md',
  ]);
}
