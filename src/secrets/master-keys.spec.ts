import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
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

  const nothing = async (): Promise<undefined> => undefined;
  const sqlite = (path = join(folder, 'data', 'hub.sqlite')) => ({
    database: { type: 'sqlite' as const, path },
    allowInsecure: [],
  });
  const KEY_LINE = `file-0123abcd:${Buffer.alloc(32, 1).toString('base64')}\n`;

  it('are those of MASTER_KEYS where it is set', async () => {
    const masterKeys = [{ id: 'k1', key: Buffer.alloc(32) }];
    expect(await resolveMasterKeys({ ...sqlite(), masterKeys }, nothing)).toBe(masterKeys);
    expect(() => statSync(join(folder, 'data'))).toThrow('ENOENT');
  });

  it('are made beside the SQLite file at first start, readable for its owner only', async () => {
    const [made] = await resolveMasterKeys(sqlite(), nothing);
    const file = join(folder, 'data', 'master.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toBe(`${made?.id}:${made?.key.toString('base64')}\n`);
    expect(made?.id).toMatch(/^file-[0-9a-f]{8}$/);
    expect(made?.key).toHaveLength(32);
    expect(await resolveMasterKeys(sqlite(), nothing)).toEqual([made]);
  });

  it('are different for every installation, by id too', async () => {
    const [one] = await resolveMasterKeys(sqlite(join(folder, 'one', 'hub.sqlite')), nothing);
    const [two] = await resolveMasterKeys(sqlite(join(folder, 'two', 'hub.sqlite')), nothing);
    expect(one?.id).not.toBe(two?.id);
    expect(one?.key.equals(two?.key ?? Buffer.alloc(0))).toBe(false);
  });

  it.each(['', 'file:', 'file:c2hvcnQ=\n', 'no colon'])(
    'are not guessed from a damaged key file: %j',
    async (content) => {
      const file = join(folder, 'master.key');
      writeFileSync(file, content);
      const resolved = resolveMasterKeys(sqlite(join(folder, 'hub.sqlite')), nothing);
      await expect(resolved).rejects.toThrow(ConfigError);
      await expect(resolved).rejects.toThrow(`${file} is damaged`);
      expect(readFileSync(file, 'utf8')).toBe(content);
    },
  );

  it('are not made beside a database that has values under another one', async () => {
    const resolved = resolveMasterKeys(sqlite(), async () => 'file-0123abcd');
    await expect(resolved).rejects.toThrow(ConfigError);
    await expect(resolved).rejects.toThrow('"file-0123abcd"');
    expect(() => statSync(join(folder, 'data'))).toThrow('ENOENT');
  });

  it('are those of another process that started at the same time and was first', async () => {
    const file = join(folder, 'master.key');
    const [key] = await resolveMasterKeys(sqlite(join(folder, 'hub.sqlite')), async () => {
      writeFileSync(file, KEY_LINE, { mode: 0o600 });
      return 'file-0123abcd';
    });
    expect(key).toEqual({ id: 'file-0123abcd', key: Buffer.alloc(32, 1) });
  });

  it('must be given with MySQL, whose hosts share them', async () => {
    const url = new Secret('mysql://hub:fake-password@127.0.0.1:3306/hub');
    const resolved = resolveMasterKeys(
      { database: { type: 'mysql', url }, allowInsecure: [] },
      nothing,
    );
    await expect(resolved).rejects.toThrow('MASTER_KEYS: is needed with MySQL');
  });

  it.each([0o640, 0o604, 0o620, 0o644, 0o660, 0o601])(
    'are not taken from a file of mode %o, unless the operator wants it',
    async (mode) => {
      const file = join(folder, 'master.key');
      writeFileSync(file, KEY_LINE);
      chmodSync(file, mode);
      const config = sqlite(join(folder, 'hub.sqlite'));
      const resolved = resolveMasterKeys(config, nothing);
      await expect(resolved).rejects.toThrow(ConfigError);
      await expect(resolved).rejects.toThrow(`(mode ${mode.toString(8)}). chmod 600 ${file}`);
      const allowed = { ...config, allowInsecure: ['key-file-mode' as const] };
      expect((await resolveMasterKeys(allowed, nothing))[0]?.id).toBe('file-0123abcd');
      chmodSync(file, 0o400);
      expect((await resolveMasterKeys(config, nothing))[0]?.id).toBe('file-0123abcd');
    },
  );

  it('are not made where the file is a folder, or its folder a file', async () => {
    mkdirSync(join(folder, 'master.key'));
    const resolved = resolveMasterKeys(sqlite(join(folder, 'hub.sqlite')), nothing);
    await expect(resolved).rejects.toThrow(/master\.key cannot be read: it is a folder/);
    writeFileSync(join(folder, 'plain'), '');
    const inFile = resolveMasterKeys(sqlite(join(folder, 'plain', 'hub.sqlite')), nothing);
    await expect(inFile).rejects.toThrow(/master\.key cannot be read: .*plain is not a folder/);
  });
});
