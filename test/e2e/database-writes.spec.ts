import Libsql from 'libsql';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSuccess, withTicketAndToken } from '../support/callback-state.js';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

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
    await other.query('ROLLBACK');
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(before);
    expectSuccess(await test.hub.push(built));
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
  });
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
