import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/app-config.js';
import { createTestDatabase, type TestDatabase } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { prime, sql } from '../support/token-world.js';

describe('the master key file of a hub on SQLite', () => {
  let database: TestDatabase;
  let keyFile: string;
  let databaseFile: string;
  beforeEach(async () => {
    database = await createTestDatabase('sqlite');
    databaseFile = database.url.slice('sqlite:'.length);
    keyFile = join(dirname(databaseFile), 'master.key');
  });
  afterEach(() => database.drop());

  const start = (): Promise<TestApp> => createTestApp({ database, env: { MASTER_KEYS: '' } });
  const keyId = (): string => readFileSync(keyFile, 'utf8').split(':')[0] ?? '';

  /** Starts a hub, lets it get a token, and stops it after what the test does with it. */
  async function run(work: (test: TestApp) => Promise<unknown> = prime): Promise<void> {
    const test = await start();
    try {
      await work(test);
    } finally {
      await test.close();
    }
  }

  it('is not made again where it is lost: the hub says what to restore, and starts with it', async () => {
    await run();
    const key = readFileSync(keyFile, 'utf8');
    const id = keyId();
    rmSync(keyFile);
    const refused = start();
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(`MASTER_KEYS: the database holds secrets`);
    await expect(refused).rejects.toThrow(`"${id}"`);
    await expect(refused).rejects.toThrow(keyFile);
    expect(existsSync(keyFile)).toBe(false);
    writeFileSync(keyFile, key, { mode: 0o600 });
    await run(async ({ hub }) => expect((await hub.accessToken()).status).toBe(200));
  });

  it('is not made for a single value that is encrypted, wherever it stands', async () => {
    await run(async (test) => {
      await prime(test);
      await makePlain(test);
      await sql(test).query("UPDATE callback_event SET payload = 'enc:v1:file:AAAA'");
    });
    rmSync(keyFile);
    await expect(start()).rejects.toThrow('"file"');
    expect(existsSync(keyFile)).toBe(false);
  });

  it('is made for the database of a version that did not encrypt', async () => {
    let token = '';
    await run(async (test) => {
      token = await prime(test);
      await makePlain(test);
      await sql(test).query('UPDATE component_access_token SET access_token = ?', [token]);
    });
    const lost = keyId();
    rmSync(keyFile);
    await run(async ({ hub }) => {
      expect((await hub.accessToken()).json.component_access_token).toBe(token);
    });
    expect(keyId()).not.toBe(lost);
  });

  it('that an earlier version made is used as it is', async () => {
    const earlier = `file:${Buffer.alloc(32, 9).toString('base64')}\n`;
    writeFileSync(keyFile, earlier, { mode: 0o600 });
    await run(async (test) => {
      await prime(test);
      const [row] = await sql(test).query('SELECT token FROM component');
      expect(row.token).toMatch(/^enc:v1:file:/);
    });
    expect(readFileSync(keyFile, 'utf8')).toBe(earlier);
    await run(async ({ hub }) => expect((await hub.accessToken()).status).toBe(200));
  });

  it('of another installation differs from damage: the error names the key that is missing', async () => {
    await run();
    const id = keyId();
    rmSync(keyFile);
    const other = await createTestDatabase('sqlite');
    await (await createTestApp({ database: other, env: { MASTER_KEYS: '' } })).close();
    const file = join(dirname(other.url.slice('sqlite:'.length)), 'master.key');
    writeFileSync(keyFile, readFileSync(file), { mode: 0o600 });
    await other.drop();
    await run(async ({ hub }) => {
      const [view] = (await hub.get('/admin/components')).json;
      expect(view.error.message).toContain(`no key "${id}" (the content of a master.key)`);
    });
  });
});

/** What a version without encryption would have written, for all but the token. */
async function makePlain(test: TestApp): Promise<void> {
  await sql(test).query(
    'UPDATE component SET app_secret = ?, token = ?, encoding_aes_key = ?, applied_environment = NULL',
    [COMPONENT.appsecret, COMPONENT.token, COMPONENT.encodingAesKey],
  );
  const { componentVerifyTicket } = (await test.hub.ticket()).json;
  await sql(test).query('UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ?', [
    componentVerifyTicket,
  ]);
  await sql(test).query("UPDATE callback_event SET payload = '<xml></xml>'");
  await sql(test).query('UPDATE component_access_token SET access_token = NULL');
}
