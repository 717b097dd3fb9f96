import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../support/databases.js';
import { COMPONENT, hubEnvironment, MASTER_KEY } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const ROTATE = join(import.meta.dirname, '../../dist/rotate-secrets.js');
const NEW_KEY = `t2:${Buffer.from('fake-second-master-key-of-32-bit').toString('base64')}`;
const PUSHES = 450;

/** What `npm run secrets:rotate` does after its build. */
function rotate(database: TestDatabase, masterKeys: string): Promise<{ stdout: string }> {
  return promisify(execFile)(process.execPath, [ROTATE], {
    cwd: import.meta.dirname,
    env: {
      PATH: process.env.PATH,
      ...hubEnvironment({ DATABASE_URL: database.url, MASTER_KEYS: masterKeys }),
    },
  });
}

async function valuesOf(app: TestApp, sql: string): Promise<string[]> {
  const rows: Record<string, string>[] = await app.app
    .get(Database)
    .read((manager) => manager.query(sql));
  return rows.map((row) => String(Object.values(row)[0]));
}

describe.each(databaseKinds())('rotation of the master key on %s', (kind) => {
  let database: TestDatabase;
  let test: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const old = await createTestApp({ database });
    const pushes = Array.from({ length: PUSHES }, () =>
      old.simulator.buildTicketPush(COMPONENT.appid),
    );
    await Promise.all(pushes.map((push) => old.hub.push(push)));
    await old.hub.accessToken();
    for (const token of ['tokenAfterTheFirstChange', 'tokenAfterTheSecondChange']) {
      await old.hub.patch(`/admin/components/${COMPONENT.appid}`, { token });
    }
    await old.close();
    test = await createTestApp({ database, env: { MASTER_KEYS: `${NEW_KEY},${MASTER_KEY}` } });
  });
  afterAll(async () => {
    await test.close();
    await database.drop();
  });

  it('rewrites every secret in batches while a hub goes on receiving', async () => {
    const plain = 'fake-secret-plain-of-an-earlier-version';
    await test.app
      .get(Database)
      .transaction((manager) =>
        manager.query('UPDATE component SET previous_app_secret = ?', [plain]),
      );
    const before = await test.hub.token();
    const rotation = rotate(database, `${NEW_KEY},${MASTER_KEY}`);
    const during = await Promise.all(
      Array.from({ length: 20 }, () => test.simulator.pushTicket(COMPONENT.appid)),
    );
    const { stdout } = await rotation;
    expect(during.every(({ body }) => body === 'success')).toBe(true);
    expect(stdout).toContain('"column":"payload"');
    const stored = [
      ...(await valuesOf(test, 'SELECT payload FROM callback_event')),
      ...(await valuesOf(test, 'SELECT app_secret FROM component')),
      ...(await valuesOf(test, 'SELECT previous_app_secret FROM component')),
      ...(await valuesOf(test, 'SELECT previous_token FROM component')),
      ...(await valuesOf(test, 'SELECT access_token FROM component_access_token')),
      ...(await valuesOf(test, 'SELECT Cvt_ComponentVerifyTicket FROM tb_ComponentVerifyTicket')),
    ];
    expect(stored.length).toBeGreaterThan(PUSHES);
    expect(stored.filter((value) => !value.startsWith('enc:v1:t2:'))).toEqual([]);
    expect((await test.hub.token()).json.generation).toBe(before.json.generation);
  });

  it('leaves a database that works with the new key alone', async () => {
    const next = await createTestApp({ database, env: { MASTER_KEYS: NEW_KEY } });
    expect((await next.hub.ticket()).json.componentVerifyTicket).toMatch(/^ticket@@@/);
    expect((await next.hub.accessToken()).status).toBe(200);
    // WeChat still uses the Token before two changes: those are rewritten too.
    expect((await next.simulator.pushTicket(COMPONENT.appid)).body).toBe('success');
    await next.close();
  });

  it('finds nothing to do the second time', async () => {
    const { stdout } = await rotate(database, NEW_KEY);
    const rewritten = stdout.match(/"rewritten":(\d+)/g);
    expect(rewritten?.length).toBeGreaterThan(5);
    expect(new Set(rewritten)).toEqual(new Set(['"rewritten":0']));
  });

  it('says what it could not read, and fails, when a key is missing', async () => {
    const other = `t3:${Buffer.from('fake-third-master-key-of-32-byte').toString('base64')}`;
    const failure = rotate(database, other);
    await expect(failure).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('MASTER_KEYS has no key'),
    });
    await expect(failure).rejects.toMatchObject({
      stdout: expect.stringMatching(/cannot be read with MASTER_KEYS.*"rewritten":0/),
    });
  });

  it('goes on behind a value that it cannot read', async () => {
    await test.app
      .get(Database)
      .transaction((manager) =>
        manager.query(
          "UPDATE component_access_token SET access_token = 'enc:v1:lost:AAAA:AAAA:AAAA'",
        ),
      );
    const newest = `t4:${Buffer.from('fake-forth-master-key-of-32-byte').toString('base64')}`;
    await expect(rotate(database, `${newest},${NEW_KEY}`)).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/"unreadable":1,"rewritten":[1-9]/),
    });
  });
});
