import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../config/app-config.js';
import { Secret } from '../common/secret.js';
import { resolveMasterKeys } from './master-keys.js';

describe('the master keys', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const sqlite = (path = join(folder, 'data', 'hub.sqlite')) => ({
    database: { type: 'sqlite' as const, path },
  });

  it('are those of MASTER_KEYS where it is set', () => {
    const masterKeys = [{ id: 'k1', key: Buffer.alloc(32) }];
    expect(resolveMasterKeys({ ...sqlite(), masterKeys })).toBe(masterKeys);
    expect(() => statSync(join(folder, 'data'))).toThrow('ENOENT');
  });

  it('are made beside the SQLite file at first start, readable for its owner only', () => {
    const [made] = resolveMasterKeys(sqlite());
    const file = join(folder, 'data', 'master.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toBe(`file:${made?.key.toString('base64')}\n`);
    expect(made?.key).toHaveLength(32);
    expect(resolveMasterKeys(sqlite())).toEqual([made]);
  });

  it('are different for every installation', () => {
    const [one] = resolveMasterKeys(sqlite(join(folder, 'one', 'hub.sqlite')));
    const [two] = resolveMasterKeys(sqlite(join(folder, 'two', 'hub.sqlite')));
    expect(one?.key.equals(two?.key ?? Buffer.alloc(0))).toBe(false);
  });

  it('end with a database in memory', () => {
    const [one] = resolveMasterKeys(sqlite(':memory:'));
    const [two] = resolveMasterKeys(sqlite(':memory:'));
    expect(one?.key.equals(two?.key ?? Buffer.alloc(0))).toBe(false);
  });

  it.each(['', 'file:', 'file:c2hvcnQ=\n', 'no colon'])(
    'are not guessed from a damaged key file: %j',
    (content) => {
      const file = join(folder, 'master.key');
      writeFileSync(file, content);
      const resolve = () => resolveMasterKeys(sqlite(join(folder, 'hub.sqlite')));
      expect(resolve).toThrow(ConfigError);
      expect(resolve).toThrow(`${file} is damaged`);
      expect(readFileSync(file, 'utf8')).toBe(content);
    },
  );

  it('must be given with MySQL, whose hosts share them', () => {
    const url = new Secret('mysql://hub:fake-password@127.0.0.1:3306/hub');
    const resolve = () => resolveMasterKeys({ database: { type: 'mysql', url } });
    expect(resolve).toThrow('MASTER_KEYS: is needed with MySQL');
  });
});
