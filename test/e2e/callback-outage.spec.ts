import Libsql from 'libsql';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSuccess, storedState, withTicketAndToken } from '../support/callback-state.js';
import {
  createMysql,
  mysqlOnly,
  type DatabaseKind,
  type TestDatabase,
} from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { findMysqlBinary, startMysqlServer, type MysqlServer } from '../support/mysql-server.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
/** WeChat gives up after 5 s. */
const PATIENCE_MS = 5000;

/** Where there is a server to kill; one that was given to the tests is left alone. */
const killable = (): DatabaseKind[] => (findMysqlBinary() ? mysqlOnly() : []);

/** A push while the database is gone: a 5xx in time, so that WeChat pushes again. */
async function expectLost(sending: Promise<Answer>): Promise<Answer> {
  const started = performance.now();
  const answer = await sending;
  expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
  expect(answer.status).toBeGreaterThanOrEqual(500);
  expect(answer.text).not.toBe('success');
  expect(answer.json.error.code).toMatch(/^(database_unavailable|too_slow)$/);
  return answer;
}

describe.each(killable())('while the %s server is down', (kind) => {
  let server: MysqlServer;
  let database: TestDatabase;
  let test: TestApp;
  beforeAll(async () => {
    // One of its own: the other tests need theirs.
    server = await startMysqlServer(findMysqlBinary() ?? kind);
    database = await createMysql(server.url);
    test = await createTestApp({ database });
    await withTicketAndToken(test, appid);
  }, 120_000);
  afterAll(async () => {
    await test.close();
    await server.stop();
  });

  it('a push is answered 5xx, and taken when it comes again after the restart', async () => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    await server.kill();
    for (let attempt = 0; attempt < 3; attempt += 1) await expectLost(test.hub.push(built));
    const many = Array.from({ length: 30 }, () => expectLost(test.hub.push(built)));
    await Promise.all(many);
    expect((await test.hub.get('/health/ready')).status).toBe(503);
    expect((await test.hub.get('/health/live')).status).toBe(200);

    await server.restart();
    expectSuccess(await test.hub.push(built));
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
    expect((await test.hub.get('/health/ready')).status).toBe(200);
  }, 60_000);

  it('pushes under way end in an answer, and each is in the database or was not answered', async () => {
    const pushes = Array.from({ length: 60 }, () => test.simulator.buildTicketPush(appid));
    const sending = pushes.map((built) => test.hub.push(built));
    await Promise.race(sending);
    await server.kill();
    const answers = await Promise.all(sending);
    await server.restart();
    const again = await Promise.all(pushes.map((built) => test.hub.push(built)));
    for (const answer of again) expectSuccess(answer);
    const taken = answers.filter(({ status }) => status === 200).length;
    console.log(`${taken} of ${pushes.length} pushes were taken before the server was killed`);
    const { events } = await storedState(test);
    expect(events).toHaveLength(2 + pushes.length);
  }, 60_000);
});

describe.each(mysqlOnly())('while a table on %s is locked by somebody else', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await withTicketAndToken(test, appid);
  });
  afterAll(() => test.close());

  it('a push is answered 5xx before WeChat gives up, and taken once when it comes again', async () => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    const other = await createConnection({ uri: test.database.url });
    await other.query('LOCK TABLES callback_event WRITE');
    const answer = await expectLost(test.hub.push(built));
    expect(answer.json.error.code).toBe('database_unavailable');
    await other.query('UNLOCK TABLES');
    await other.end();
    expectSuccess(await test.hub.push(built));
    expect((await storedState(test)).events).toHaveLength(2);
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
  });
});

describe('while another program holds the SQLite file', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    await withTicketAndToken(test, appid);
  });
  afterAll(() => test.close());

  it('a push is answered 5xx, and taken when it comes again afterwards', async () => {
    test.clock.advance(1000);
    const before = await storedState(test);
    const built = test.simulator.buildTicketPush(appid);
    const other = new Libsql(test.database.url.slice('sqlite:'.length));
    other.exec('BEGIN EXCLUSIVE');
    const answer = await expectLost(test.hub.push(built));
    expect(answer.json.error.code).toBe('database_unavailable');
    await Promise.all([1, 2, 3].map(() => expectLost(test.hub.push(built))));
    // Reads go on: what is known is served.
    expect((await test.hub.accessToken()).status).toBe(200);
    other.exec('ROLLBACK');
    other.close();
    expect(await storedState(test)).toEqual(before);
    expectSuccess(await test.hub.push(built));
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
  });
});
