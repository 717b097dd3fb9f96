import Libsql from 'libsql';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import { expectSuccess, withTicketAndToken } from '../support/callback-state.js';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';

const { appid } = COMPONENT;

describe.each(mysqlOnly())('rows on %s that somebody else keeps locked', (kind) => {
  let test: TestApp;
  let other: Connection;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await withTicketAndToken(test, appid);
    other = await createConnection({ uri: test.database.url });
  });
  afterAll(async () => {
    await other.end();
    await test.close();
  });

  /** Statements of the hub that the server is still busy with. */
  async function unfinished(): Promise<string[]> {
    const [rows] = await other.query<RowDataPacket[]>(
      'SELECT INFO FROM information_schema.PROCESSLIST ' +
        'WHERE DB = DATABASE() AND INFO IS NOT NULL AND ID <> CONNECTION_ID()',
    );
    return rows.map(({ INFO }) => String(INFO));
  }

  it('cost a push a 503, and leave no statement behind that takes effect late', async () => {
    test.clock.advance(1000);
    const before = (await test.hub.ticket()).json.componentVerifyTicket;
    const built = test.simulator.buildTicketPush(appid);
    await other.query('BEGIN');
    await other.query('SELECT * FROM tb_ComponentVerifyTicket FOR UPDATE');
    const refused = await test.hub.push(built);
    expect([refused.status, refused.json.error.code]).toEqual([503, 'database_unavailable']);
    expect(await unfinished()).toEqual([]);
    // Other work succeeds; that says nothing of this one.
    expect((await test.hub.ticket()).status).toBe(200);
    expect(await test.hub.get('/health/ready')).toMatchObject({
      status: 503,
      json: { database: 'down', lastFailedWrite: { code: 'ER_LOCK_WAIT_TIMEOUT', over: false } },
    });
    await other.query('ROLLBACK');
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(before);
    expectSuccess(await test.hub.push(built));
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
    expect(await test.hub.get('/health/ready')).toMatchObject({
      status: 200,
      json: { lastFailedWrite: { over: true } },
    });
  });
});

describe('a SQLite file on a disk that is full', () => {
  const FULL = { status: 503, json: { status: 'down', database: 'down' } };
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    await withTicketAndToken(test, appid);
  });
  afterAll(() => test.close());

  const ready = () => test.hub.get('/health/ready');
  const push = () => test.hub.push(test.simulator.buildTicketPush(appid));

  /** Lets the file grow to so many pages; more than it has is a disk with room. */
  const limitPages = (pages: number) => sql(test).query(`PRAGMA max_page_count = ${pages}`);

  it('keeps readiness down while pushes fail, and says what failed', async () => {
    await limitPages(1);
    // The pages that there are take a few more.
    for (let tries = 0; (await push()).status === 200; tries += 1) expect(tries).toBeLessThan(200);
    const failedAt = new Date(test.clock.now()).toISOString();
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(Array.from({ length: 20 }, push));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      expect(await ready()).toMatchObject(FULL);
    }
    await test.app.get(Database).transaction((manager) =>
      // It finds room where pushes find none.
      manager.query('UPDATE component SET updated_at = updated_at + 1'),
    );
    const { status, json, text } = await ready();
    expect(status).toBe(503);
    expect(json.lastFailedWrite).toEqual({
      at: failedAt,
      tables: expect.arrayContaining(['callback_event']),
      code: 'SQLITE_FULL',
      over: false,
    });
    expect(text).not.toContain('ticket@@@');
    await limitPages(1_000_000);
    expect(await ready()).toMatchObject({
      status: 200,
      json: { database: 'up', lastFailedWrite: { at: failedAt, over: true } },
    });
    expectSuccess(await push());
    expect(await sql(test).query('SELECT COUNT(*) AS n FROM write_probe')).toEqual([{ n: 0 }]);
  }, 60_000);
});

describe('a SQLite file that can be read and not written', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    await withTicketAndToken(test, appid);
  });
  afterAll(() => test.close());

  it('makes readiness down from the first failed write until writing works', async () => {
    const ready = () => test.hub.get('/health/ready');
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    const other = new Libsql(test.database.url.slice('sqlite:'.length));
    other.exec('BEGIN EXCLUSIVE');
    expect((await test.hub.push(built)).status).toBe(503);
    expect((await test.hub.ticket(appid, false)).status).toBe(200);
    const down = { status: 503, json: { status: 'down', database: 'down' } };
    expect([await ready(), await ready()]).toMatchObject([down, down]);
    other.exec('ROLLBACK');
    other.close();
    expect(await ready()).toMatchObject({ status: 200, json: { database: 'up' } });
    expectSuccess(await test.hub.push(built));
  });
});
