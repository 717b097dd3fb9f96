import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  detailOf,
  infoTick,
  newAccount,
  tokenText,
} from '../support/authorizer-world.js';
import { expectSuccess } from '../support/callback-state.js';
import {
  createMysql,
  type DatabaseKind,
  mysqlOnly,
  type TestDatabase,
} from '../support/databases.js';
import { arrives, burst, deliveryHub, settled, subscribe } from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { findMysqlBinary, type MysqlServer, startMysqlServer } from '../support/mysql-server.js';
import type { TestApp } from '../support/test-app.js';
import { issued, prime, SECOND, sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/** URL of a database for a user without any special right, made where it is not there. */
async function mysqlServerUrlAs(
  user: string,
  database: TestDatabase,
  admin: Connection,
): Promise<string> {
  const url = new URL(database.url);
  const account = `'${user}'@'%'`;
  await admin.query(`CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY 'fake-password'`);
  await admin.query(`GRANT ALL ON ${url.pathname.slice(1)}.* TO ${account}`);
  url.username = user;
  url.password = 'fake-password';
  return url.href;
}

const { appid } = COMPONENT;
/** Where there is a server of the tests' own: one that was given to them keeps its settings. */
const settable = (): DatabaseKind[] => (findMysqlBinary() ? mysqlOnly() : []);

const ISOLATIONS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];
const SQL_MODES = ['DEFAULT', "''", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"];
const SESSIONS = SQL_MODES.flatMap((mode) => ISOLATIONS.map((isolation) => ({ mode, isolation })));
/** Defaults of a server that change what a statement does, and say nothing. */
const HOSTILE = [
  'autocommit = 0',
  "time_zone = '+09:30'",
  "completion_type = 'CHAIN'",
  'sql_select_limit = 1',
  'sql_safe_updates = 1',
  "default_storage_engine = 'MyISAM'",
  'foreign_key_checks = 0',
  'max_sort_length = 64',
  // For users without special rights; in GBK the second byte of a character may be a backslash.
  "init_connect = 'SET NAMES gbk'",
];
/** Ends a text in SQL whichever way quotes are escaped, and goes on with a column of its own. */
const NASTY_NAMES = [
  "x\\', principal_name = 'stolen' -- ",
  "x', principal_name = 'stolen' -- ",
  'x", principal_name = "stolen" -- ',
  "縗', principal_name = 'stolen' #",
  '\u{1F600}\\',
];

describe.each(settable())('whatever session a %s server gives', (kind) => {
  let server: MysqlServer;
  let admin: Connection;
  let database: TestDatabase;
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    server = await startMysqlServer(findMysqlBinary() ?? kind);
    admin = await createConnection({ uri: server.url });
    receiver = await WebhookReceiver.start();
  }, 60_000);
  afterAll(async () => {
    await receiver.close();
    await admin.end();
    await server.stop();
  });

  async function start(mode: string, isolation: string): Promise<void> {
    for (const setting of [`sql_mode = ${mode}`, ...HOSTILE]) {
      await admin.query(`SET GLOBAL ${setting}`);
    }
    await admin.query(`SET GLOBAL TRANSACTION ISOLATION LEVEL ${isolation}`);
    database = await createMysql(server.url);
    const url = await mysqlServerUrlAs('hub_user', database, admin);
    test = await deliveryHub({ database: { ...database, url } });
    receiver.clear();
  }

  async function end(): Promise<void> {
    await test.close();
    await database.drop();
  }

  it.each(SESSIONS)('serves under sql_mode $mode and $isolation', async ({ mode, isolation }) => {
    await start(mode, isolation);
    try {
      await expectTicketsAndTokens(test);
      await expectDeliveries(test, receiver);
      await expectNamesKeptApart(test);
    } finally {
      await end();
    }
  });

  it('serves with values in the text, escaped, where it prepares no more statements', async () => {
    await start("'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", 'REPEATABLE READ');
    try {
      await admin.query('SET GLOBAL max_prepared_stmt_count = 0');
      await expectTicketsAndTokens(test);
      await expectNamesKeptApart(test);
    } finally {
      await admin.query('SET GLOBAL max_prepared_stmt_count = DEFAULT');
      await end();
    }
  });

  it('binds values beside the statement, each as what it is', async () => {
    await start('DEFAULT', 'READ COMMITTED');
    try {
      await expectValuesBound(sql(test), admin);
    } finally {
      await end();
    }
  });
});

/** What reaches the server of each kind of value, and that an index still serves for whole numbers. */
async function expectValuesBound(source: DataSource, admin: Connection): Promise<void> {
  const one = async (value: unknown): Promise<unknown> =>
    (await source.query('SELECT ? AS v', [value]))[0].v;
  const same = [0, -7, 1.5, 2 ** 31, Number.MAX_SAFE_INTEGER, '', "\\' OR 1=1 -- ", '007', null];
  for (const value of same) expect(await one(value)).toBe(value);
  expect([await one(undefined), await one(true), await one(5n)]).toEqual([null, 1, 5]);
  expect(await one(Buffer.from([0, 0xff, 0x5c, 0x27]))).toEqual(Buffer.from([0, 0xff, 0x5c, 0x27]));
  for (const value of [Number.NaN, Infinity, ['a', 'b']]) {
    await expect(one(value)).rejects.toThrow(/no value of a statement/);
  }
  const list = Array.from({ length: 3000 }, (_, index) => index);
  const marks = list.map(() => '?').join(', ');
  const [{ n }] = await source.query(`SELECT 2999 IN (${marks}) AS n`, list);
  expect(Number(n)).toBe(1);
  expect(await source.query('SELECT 1 AS one LIMIT ? OFFSET ?', [1, 0])).toEqual([{ one: 1 }]);
  const due =
    'EXPLAIN SELECT id FROM delivery WHERE subscription_id = ? AND status = ? AND next_attempt_at';
  const bound = await source.query(`${due} <= ?`, ['fake', 'pending', Date.now()]);
  expect(bound).toEqual(await source.query(`${due} <= ${Date.now()}`, ['fake', 'pending']));
  expect(bound[0].key).toBe('delivery_due');
  // However many different statements there are, the server keeps few of them for each connection.
  for (let index = 0; index < 300; index += 1) await source.query(`SELECT ? + ${index}`, [1]);
  const [rows] = await admin.query<RowDataPacket[]>(
    "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'",
  );
  expect(Number(rows[0]?.Value)).toBeGreaterThan(0);
  expect(Number(rows[0]?.Value)).toBeLessThan(300);
}

/** Tickets one after the other and at once, each seen by every connection; the newest stays. */
async function expectTicketsAndTokens(test: TestApp): Promise<void> {
  expect(await prime(test)).toBe(issued(test));
  const pushes = Array.from({ length: 20 }, () => test.simulator.buildTicketPush(appid));
  const answers = await Promise.all(pushes.map((push) => test.hub.push(push)));
  for (const answer of answers) expectSuccess(answer);
  test.clock.advance(SECOND);
  const newest = test.simulator.buildTicketPush(appid);
  expectSuccess(await test.hub.push(newest));
  const seen = await Promise.all(Array.from({ length: 20 }, () => test.hub.ticket()));
  for (const { json } of seen) {
    expect(json.componentVerifyTicket).toBe(newest.ticket);
    // The legacy column has whole seconds; MySQL rounds them.
    expect(Math.abs(Date.parse(json.receivedAt) - test.clock.now())).toBeLessThan(SECOND);
  }
  const [{ pushed }] = await sql(test).query('SELECT COUNT(*) AS pushed FROM callback_event');
  expect(Number(pushed)).toBe(22);
}

async function expectDeliveries(test: TestApp, receiver: WebhookReceiver): Promise<void> {
  await subscribe(test, receiver);
  await arrives(test, { Content: "\\'; DELETE FROM delivery; -- \u{1F600}" });
  await burst(test, 10);
  await receiver.arrived(11);
  await settled(test);
  const [{ done }] = await sql(test).query(
    "SELECT COUNT(*) AS done FROM delivery WHERE status = 'delivered' AND lease_owner IS NULL",
  );
  expect(Number(done)).toBe(11);
}

/** No customer's name changes more than that customer's row, or is changed itself. */
async function expectNamesKeptApart(test: TestApp): Promise<void> {
  const victim = newAccount(test, { nickName: 'A victim' });
  const others = NASTY_NAMES.map((nickName) => ({
    nickName,
    account: newAccount(test, { nickName }),
  }));
  for (const account of [victim, ...others.map((other) => other.account)]) {
    await authorizeByEvent(test, account);
  }
  await infoTick(test);
  for (const { account, nickName } of [{ account: victim, nickName: 'A victim' }, ...others]) {
    const detail = await detailOf(test, account);
    expect([detail.nickName, detail.principalName]).toEqual([
      nickName,
      expect.not.stringContaining('stolen'),
    ]);
  }
  expect(await tokenText(test, victim)).toMatch(/\w/);
}
