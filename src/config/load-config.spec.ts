import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from './app-config.js';
import { loadConfig } from './load-config.js';
import { variables } from './variables.js';

describe('loadConfig', () => {
  const home = process.cwd();
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-config-'));
    for (const name of Object.keys(variables)) {
      vi.stubEnv(name, undefined);
      vi.stubEnv(`${name}_FILE`, undefined);
    }
    process.chdir(folder);
  });

  afterEach(() => {
    process.chdir(home);
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('works without a .env', () => {
    vi.stubEnv('PORT', '4000');
    expect(loadConfig().port).toBe(4000);
  });

  it('reads .env of the working folder, under the environment, which wins', () => {
    writeFileSync(
      '.env',
      'PORT=4000\nLOG_LEVEL=warn\n# HOST=0.0.0.0\nADMIN_TOKEN="fake-quoted-admin-token-1"\n',
    );
    vi.stubEnv('PORT', '5000');
    const config = loadConfig();
    expect(config.port).toBe(5000);
    expect(config.logLevel).toBe('warn');
    expect(config.host).toBe('127.0.0.1');
    expect(config.adminToken?.reveal()).toBe('fake-quoted-admin-token-1');
    expect(process.env.ADMIN_TOKEN).toBeUndefined();
  });

  it('refuses what is wrong in .env', () => {
    writeFileSync('.env', 'PORT=http\n');
    expect(() => loadConfig()).toThrow(/PORT: must be a whole number/);
  });

  /** The lines of the refusal, without its headline. */
  function refusal(): string[] {
    try {
      loadConfig();
    } catch (error) {
      if (error instanceof ConfigError) return error.message.split('\n').slice(1);
      throw error;
    }
    throw new Error('The configuration was accepted');
  }

  it.each<[string, Buffer]>([
    ['a byte order mark', Buffer.from('\ufeffPORT=4000\r\nLOG_LEVEL=warn\r\n')],
    ['UTF-16', Buffer.from('\ufeffPORT=4000\r\nLOG_LEVEL=warn\r\n', 'utf16le')],
    ['invisible characters in names', Buffer.from('\u00a0PORT=4000\nLOG_LEVEL\u200b=warn\n')],
  ])('reads .env with %s', (_, bytes) => {
    writeFileSync('.env', bytes);
    expect(loadConfig()).toMatchObject({ port: 4000, logLevel: 'warn' });
  });

  it('refuses a .env that is no text, or a folder, in one line', () => {
    writeFileSync('.env', Buffer.from('PORT=4000\nADMIN_TOKEN=\xff\xfe\n', 'latin1'));
    expect(refusal()).toEqual(['  .env cannot be read: it is not UTF-8 text']);
    rmSync('.env');
    mkdirSync('.env');
    expect(refusal()).toEqual([expect.stringMatching(/^ {2}\.env cannot be read: it is a folder/)]);
  });

  it('warns of a .env that others can read, and names it once', () => {
    writeFileSync('.env', 'PORT=4000\n');
    chmodSync('.env', 0o644);
    expect(loadConfig().warnings).toEqual([expect.stringContaining('chmod 600 .env')]);
    chmodSync('.env', 0o600);
    expect(loadConfig().warnings).toEqual([]);
  });

  it('reads values from files, without the line end, from .env and the environment alike', () => {
    const token = 'fake-admin-token-of-a-file';
    writeFileSync('token', `${token}\n`);
    writeFileSync('key', `\ufeffk1:${Buffer.alloc(32, 7).toString('base64')}\r\n`);
    writeFileSync('url', 'mysql://hub:fake-password@127.0.0.1:3306/hub\n');
    writeFileSync('.env', 'MASTER_KEYS_FILE=key\n');
    vi.stubEnv('ADMIN_TOKEN_FILE', join(folder, 'token'));
    vi.stubEnv('DATABASE_URL_FILE', './url');
    const config = loadConfig();
    expect(config.adminToken?.reveal()).toBe(token);
    expect(config.masterKeys).toEqual([{ id: 'k1', key: Buffer.alloc(32, 7) }]);
    expect(config.database.type).toBe('mysql');
    expect(process.env.ADMIN_TOKEN).toBeUndefined();
  });

  it('has a file for every variable', () => {
    for (const [name, { example }] of Object.entries(variables)) {
      if (['ADMIN_TOKEN', 'METRICS_TOKEN', 'MASTER_KEYS'].includes(name)) continue;
      writeFileSync(name, `${example}\n`);
      vi.stubEnv(`${name}_FILE`, name);
    }
    vi.stubEnv('MASTER_KEYS', `k1:${Buffer.alloc(32, 7).toString('base64')}`);
    const config = loadConfig();
    expect(config.firstComponent?.previousToken?.reveal()).toBe('myCallbackToken0');
    expect(config.delivery.allowedTargets).toEqual(['hooks.internal', '10.0.0.0/8']);
  });

  it('names every file that cannot be used in one line each, and what else is wrong', () => {
    mkdirSync('folder');
    writeFileSync('empty', '\n');
    writeFileSync('binary', Buffer.from([0x61, 0xff, 0x61]));
    writeFileSync('token', 'fake-admin-token-of-a-file');
    vi.stubEnv('WECHAT_COMPONENT_APPID', 'wx0123456789abcdef');
    vi.stubEnv('WECHAT_COMPONENT_APPSECRET_FILE', 'absent');
    vi.stubEnv('WECHAT_COMPONENT_TOKEN_FILE', 'folder');
    vi.stubEnv('WECHAT_COMPONENT_ENCODING_AES_KEY_FILE', 'empty');
    vi.stubEnv('PUBLIC_URL_FILE', 'empty');
    vi.stubEnv('DATABASE_URL_FILE', 'binary');
    vi.stubEnv('MASTER_KEYS_FILE', '/dev/zero');
    vi.stubEnv('ADMIN_TOKEN', 'fake-admin-token-of-24-characters');
    vi.stubEnv('ADMIN_TOKEN_FILE', 'token');
    vi.stubEnv('PORT', 'http');
    expect(refusal().toSorted()).toEqual([
      '  ADMIN_TOKEN_FILE: is set beside ADMIN_TOKEN; leave one of them out',
      '  DATABASE_URL_FILE: binary cannot be read: it is not UTF-8 text',
      '  MASTER_KEYS_FILE: /dev/zero cannot be read: it has more than 65536 bytes',
      '  PORT: must be a whole number from 0 to 65535 (example: PORT=3000)',
      '  PUBLIC_URL_FILE: empty is empty',
      '  WECHAT_COMPONENT_APPSECRET_FILE: absent cannot be read: it does not exist',
      expect.stringMatching(/^ {2}WECHAT_COMPONENT_ENCODING_AES_KEY: is missing/),
      expect.stringMatching(
        /^ {2}WECHAT_COMPONENT_TOKEN_FILE: folder cannot be read: it is a fold/,
      ),
    ]);
  });
});
