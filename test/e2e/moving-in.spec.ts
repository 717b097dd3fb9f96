import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../support/eventually.js';
import { SystemClock } from '../../src/common/clock.js';
import {
  AUTHORIZER_TOKEN,
  authorizerHub,
  breakPath,
  calls,
  detailOf,
  newAccounts,
  PLATFORM,
  tokenText,
} from '../support/authorizer-world.js';
import {
  createTestDatabase,
  databaseKinds,
  mysqlOnly,
  type TestDatabase,
} from '../support/databases.js';
import { hubEnvironment } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { issued, prime, sql } from '../support/token-world.js';

const IMPORT = join(import.meta.dirname, '../../dist/import.js');
const ACCOUNTS = 200;
const CONCURRENCY = 10;
/** A command that starts on a busy machine takes its time. */
const START_LIMIT_MS = 60_000;
const PASSWORD = 'fake-password-of-the-other-system';

// Each starts processes, which on a busy machine take ten times as long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hub-import-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(test: TestApp, args: string[], env: Record<string, string> = {}): ChildProcess {
  const settings = { DATABASE_URL: test.database.url, WECHAT_API_BASE_URL: test.simulator.url };
  return spawn(process.execPath, [IMPORT, ...args], {
    cwd: import.meta.dirname,
    env: { PATH: process.env.PATH, ...hubEnvironment(settings), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the command to its end: exit code and all that it wrote. */
async function run(
  test: TestApp,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; text: string }> {
  const child = start(test, args, env);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  }
  const [code] = await once(child, 'close');
  expect(text).not.toContain('refreshtoken@@@');
  expect(text).not.toContain(PASSWORD);
  return { code, text };
}

function refreshTokenOf({ simulator }: TestApp, account: string, platform = PLATFORM): string {
  return simulator.accounts.refreshTokenOf(platform, account) ?? '';
}

/** A file of accounts as the other system has them. */
function csvOf(rows: [account: string, refreshToken: string][], name = 'accounts.csv'): string {
  const lines = rows.map(([account, token]) => `${PLATFORM},${account},${token},"Name, of it"`);
  const head = 'component_appid,authorizer_appid,authorizer_refresh_token,nick_name';
  const file = join(folder, name);
  writeFileSync(file, `${[head, ...lines].join('\r\n')}\r\n`);
  return file;
}

async function known({ hub }: TestApp): Promise<number> {
  return (await hub.get('/admin/authorizers?limit=500')).json.authorizers.length;
}

describe.each(databaseKinds())('moving in from a file on %s', (kind) => {
  let test: TestApp;
  let accounts: string[];
  let file: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind, clock: new SystemClock() });
    accounts = newAccounts(test, ACCOUNTS, { authorizedTo: PLATFORM });
    file = csvOf(accounts.map((account) => [account, refreshTokenOf(test, account)]));
  });
  afterAll(() => test.close());

  // What the database has no part in is looked at once.
  it.runIf(kind === 'sqlite')('says what it would do, and does nothing', async () => {
    const { code, text } = await run(test, ['csv', file]);
    expect([code, text]).toEqual([0, expect.stringContaining(`${ACCOUNTS} to be added, 0 known`)]);
    expect(text).toContain('Nothing was changed');
    expect([await known(test), calls(test, AUTHORIZER_TOKEN)]).toEqual([0, 0]);
  });

  it('goes on after a kill: each account once, verified once', async () => {
    const killed = start(test, ['csv', file, '--apply']);
    const isInTheMiddle = (): boolean => calls(test, AUTHORIZER_TOKEN) > ACCOUNTS / 3;
    await eventually('the middle', () => isInTheMiddle() || undefined, START_LIMIT_MS);
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const before = calls(test, AUTHORIZER_TOKEN);
    expect(before).toBeLessThan(ACCOUNTS);
    // The leases of the process that is gone are over.
    await sql(test).query('UPDATE authorizer SET lease_until = 1 WHERE lease_until IS NOT NULL');
    const { code, text } = await run(test, ['csv', file, '--apply']);
    const [, verified, earlier] =
      /(\d+) verified, (\d+) verified before, 0 failed/.exec(text) ?? [];
    expect([code, Number(verified) + Number(earlier)]).toEqual([0, ACCOUNTS]);
    expect(Number(earlier)).toBeGreaterThan(0);
    expect(await known(test)).toBe(ACCOUNTS);
    const total = calls(test, AUTHORIZER_TOKEN);
    expect(total).toBeGreaterThanOrEqual(ACCOUNTS);
    expect(total).toBeLessThanOrEqual(ACCOUNTS + CONCURRENCY);
    for (const account of accounts.filter((_, index) => index % 20 === 0)) {
      const detail = await detailOf(test, account);
      expect(detail).toMatchObject({ status: 'active', nickName: 'Name, of it' });
      expect(detail.history.map(({ what }: { what: string }) => what)).toEqual(['moved_in']);
      expect(await tokenText(test, account)).toBe(
        test.simulator.accounts.currentToken(PLATFORM, account)?.value,
      );
    }
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(total);
  });

  it.runIf(kind === 'sqlite')('finds nothing to do the third time', async () => {
    const before = calls(test, AUTHORIZER_TOKEN);
    const { code, text } = await run(test, ['csv', file, '--apply']);
    expect([code, text]).toEqual([0, expect.stringContaining(`0 verified, ${ACCOUNTS} verified`)]);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(before);
  });
});

describe('moving in', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await authorizerHub({ database: 'sqlite', clock: new SystemClock() });
  });
  beforeEach(() => test.simulator.clearCalls());
  afterEach(() => test.simulator.removeFaults());
  afterAll(() => test.close());

  it('says of each account why it could not be moved in, and asks WeChat once', async () => {
    const [well, stale, gone] = newAccounts(test, 3, { authorizedTo: PLATFORM }) as [
      string,
      string,
      string,
    ];
    const tokenOfGone = refreshTokenOf(test, gone);
    await test.simulator.accounts.withdraw(PLATFORM, gone, { push: false });
    const file = csvOf([
      [well, refreshTokenOf(test, well)],
      // WeChat has another one on record, which repairs it.
      [stale, 'refreshtoken@@@fake-one-of-last-year'],
      [gone, tokenOfGone],
      ['not an appid', 'refreshtoken@@@fake-one'],
    ]);
    const first = await run(test, ['csv', file, '--apply']);
    expect(first.code).toBe(1);
    expect(first.text).toContain(`${PLATFORM}/${gone}: authorizer_revoked: `);
    expect(first.text).toContain('(line 5): it has no appid, or none that is right');
    expect(first.text).toContain('2 verified, 0 verified before, 1 failed, 0 not tried, 1 rows');
    expect((await detailOf(test, stale)).status).toBe('active');
    const asked = calls(test, AUTHORIZER_TOKEN);
    const second = await run(test, ['csv', file, '--apply']);
    expect(second.text).toContain('0 verified, 2 verified before, 1 failed');
    expect(second.text).toContain('The account has withdrawn its authorization');
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(asked);
  });

  it('stops where the quota of the platform is used up, and tries the rest in the next run', async () => {
    const accounts = newAccounts(test, 40, { authorizedTo: PLATFORM });
    const file = csvOf(accounts.map((account) => [account, refreshTokenOf(test, account)]));
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'errcode', errcode: 45009 });
    const { code, text } = await run(test, ['csv', file, '--apply', '--concurrency', '4']);
    expect([code, text]).toEqual([1, expect.stringContaining('accounts were not tried: ')]);
    expect(calls(test, AUTHORIZER_TOKEN)).toBeLessThanOrEqual(4);
    test.simulator.removeFaults();
    const again = await run(test, ['csv', file, '--apply']);
    expect([again.code, again.text]).toEqual([0, expect.stringContaining('40 verified, 0 ')]);
  });

  it('needs no push where the ticket of the legacy table is brought along', async () => {
    const fresh = await createTestApp({ database: 'sqlite', clock: new SystemClock() });
    const { plaintext } = fresh.simulator.buildTicketPush(PLATFORM);
    const [, ticket] = /<ComponentVerifyTicket><!\[CDATA\[(.*?)\]\]>/.exec(plaintext) ?? [];
    // As docs/moving-in.md has it.
    await sql(fresh).query(
      `INSERT INTO tb_ComponentVerifyTicket (Cvt_AppId, Cvt_CreateTime, Cvt_InfoType,
         Cvt_ComponentVerifyTicket, Cvt_DateTime)
       VALUES (?, ?, 'component_verify_ticket', ?, '2026-11-22 08:00:00')`,
      [PLATFORM, Math.floor(Date.now() / 1000), ticket],
    );
    expect(calls(fresh)).toBe(0);
    const { status, json } = await fresh.hub.accessToken();
    expect([status, json.component_access_token]).toEqual([200, issued(fresh)]);
    await fresh.close();
  });

  describe.each(mysqlOnly())('from a database on %s', (kind) => {
    let other: TestDatabase;
    let url: string;
    beforeAll(async () => {
      other = await createTestDatabase(kind);
      const name = `hub_import_${process.pid}`;
      const connection = await createConnection({ uri: other.url });
      await connection.query(`CREATE USER '${name}'@'%' IDENTIFIED BY '${PASSWORD}'`);
      await connection.query(
        `GRANT SELECT ON ${new URL(other.url).pathname.slice(1)}.* TO '${name}'@'%'`,
      );
      await connection.end();
      url = Object.assign(new URL(other.url), { username: name, password: PASSWORD }).href;
    });
    afterAll(() => other.drop());

    async function fill(...statements: [sql: string, values?: unknown[]][]): Promise<void> {
      const connection = await createConnection({ uri: other.url });
      for (const [statement, values] of statements) await connection.query(statement, values);
      await connection.end();
    }

    it('of wxcloudrun-wxcomponent, whose URL is in a file', async () => {
      const accounts = newAccounts(test, 3, { authorizedTo: PLATFORM });
      await fill(
        [
          `CREATE TABLE authorizers (id INT AUTO_INCREMENT PRIMARY KEY, appid VARCHAR(32) UNIQUE,
             apptype INT, servicetype INT, nickname VARCHAR(32), username VARCHAR(32),
             headimg VARCHAR(256), qrcodeurl VARCHAR(256), principalname VARCHAR(64),
             refreshtoken VARCHAR(128), funcinfo TEXT, verifyinfo INT,
             authtime TIMESTAMP NULL, updatetime TIMESTAMP NULL) CHARACTER SET utf8`,
        ],
        ...accounts.map((account): [string, unknown[]] => [
          `INSERT INTO authorizers (appid, apptype, nickname, username, refreshtoken, authtime)
           VALUES (?, 0, '某公众号', 'gh_1', ?, FROM_UNIXTIME(1700000000))`,
          [account, refreshTokenOf(test, account)],
        ]),
      );
      const file = join(folder, 'url');
      writeFileSync(file, `${url}\n`);
      const args = ['wxcomponent', '--platform', PLATFORM, '--apply'];
      const { code, text } = await run(test, args, { IMPORT_DATABASE_URL_FILE: file });
      expect([code, text]).toEqual([0, expect.stringContaining('3 verified')]);
      expect(await detailOf(test, accounts[1] as string)).toMatchObject({
        status: 'active',
        nickName: '某公众号',
        userName: 'gh_1',
        firstAuthorizedAt: '2023-11-14T22:13:20.000Z',
      });
    });

    it('of wechat-mp, with its platforms', async () => {
      const platform = 'wx00000000000000aa';
      const secrets = {
        appsecret: 'fakeSecretOfTheSecondPlatform',
        token: 'cbTokenOfTheSecond',
        encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
      };
      test.simulator.addComponent({
        appid: platform,
        ...secrets,
        pushUrl: `${test.hub.url}/callback/${platform}/events`,
      });
      const [account = ''] = newAccounts(test, 1, { authorizedTo: platform });
      await fill(
        ['DROP TABLE IF EXISTS authorizers'],
        [
          `CREATE TABLE platform (id INT PRIMARY KEY, name VARCHAR(50), app_id VARCHAR(20),
             secret VARCHAR(32), token VARCHAR(20), aes_key VARCHAR(50))`,
        ],
        [
          `CREATE TABLE authorizers (id INT PRIMARY KEY, platform_id INT, appid VARCHAR(32),
             app_type INT, nick_name VARCHAR(50), user_name VARCHAR(50), head_img VARCHAR(255),
             principal_name VARCHAR(64), refreshtoken VARCHAR(128), auth_time INT)`,
        ],
        [
          'INSERT INTO platform VALUES (?)',
          [[7, '第二平台', platform, secrets.appsecret, secrets.token, secrets.encodingAesKey]],
        ],
        [
          'INSERT INTO authorizers (id, platform_id, appid, refreshtoken, auth_time) VALUES ?',
          [
            [
              [1, 7, account, refreshTokenOf(test, account, platform), 1_700_000_000],
              [2, 8, 'wxofnoplatform', 'refreshtoken@@@fake-one', null],
            ],
          ],
        ],
      );
      const env = { IMPORT_DATABASE_URL: url };
      const plan = await run(test, ['wechat-mp'], env);
      expect(plan.text).toContain(`platform ${platform}: to be registered`);
      expect(plan.text).toContain(`${platform}: 1 to be added`);
      expect((await test.hub.get(`/admin/components/${platform}`)).status).toBe(404);
      // WeChat pushes to the hub only when its console says so: until then there is no ticket.
      const early = await run(test, ['wechat-mp', '--apply'], env);
      expect([early.code, early.text]).toEqual([1, expect.stringContaining('ticket_missing')]);
      await eventually('the platform', async () =>
        (await test.hub.get(`/admin/components/${platform}`)).status === 200 ? true : undefined,
      );
      await prime(test, platform);
      const { code, text } = await run(test, ['wechat-mp', '--apply'], env);
      expect([code, text]).toEqual([1, expect.stringContaining('1 verified, 0 verified before')]);
      expect(text).toContain('(authorizers.id 2): it names no platform');
      expect(text + early.text + plan.text).not.toMatch(
        new RegExp(Object.values(secrets).join('|')),
      );
    });
  });
});
