import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError, type AppConfig, type MasterKey } from '../config/app-config.js';

/**
 * The keys of `MASTER_KEYS`; without them, on SQLite, a key kept in `master.key` (mode 600)
 * beside the database file, made when it is not there. An in-memory database gets a key that
 * ends with it.
 */
export function resolveMasterKeys(config: Pick<AppConfig, 'database' | 'masterKeys'>): MasterKey[] {
  if (config.masterKeys) return config.masterKeys;
  if (config.database.type === 'mysql') {
    throw new ConfigError(['  MASTER_KEYS: is needed with MySQL']);
  }
  if (config.database.path === ':memory:') return [{ id: 'memory', key: randomBytes(32) }];
  return [fileKey(join(dirname(config.database.path), 'master.key'))];
}

function fileKey(path: string): MasterKey {
  mkdirSync(dirname(path), { recursive: true });
  try {
    // "wx" fails if the file is there: two processes that start together keep one key.
    writeFileSync(path, `file:${randomBytes(32).toString('base64')}\n`, {
      mode: 0o600,
      flag: 'wx',
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const [id, encoded] = readFileSync(path, 'utf8').trim().split(/:(.*)/s);
  const key = Buffer.from(encoded ?? '', 'base64');
  if (!id || key.length !== 32) {
    throw new ConfigError([
      `  MASTER_KEYS: the key file ${path} is damaged; restore it, or set MASTER_KEYS`,
    ]);
  }
  return { id, key };
}
