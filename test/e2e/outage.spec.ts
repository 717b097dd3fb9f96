import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { createMysql, createTestDatabase, mysqlOnly } from '../support/databases.js';
import type { DatabaseKind, TestDatabase } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { findMysqlBinary, startMysqlServer, type MysqlServer } from '../support/mysql-server.js';
import { TcpGate } from '../support/process-gate.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { calls, EXCHANGE, issued, MINUTE, prime, SECOND, tick } from '../support/token-world.js';

const { appid } = COMPONENT;
/** Simulated seconds without a database. */
const DOWN_SECONDS = 30;
const READERS = 10;
/** Longest that any read may take, in milliseconds: services have time limits of their own. */
const SLOWEST_MS = 1500;

/** Where there is a server to kill; one that was given to the tests is left alone. */
const killable = (): DatabaseKind[] => (findMysqlBinary() ? mysqlOnly() : []);

describe.each(killable())('a database server that is killed under reads: %s', (kind) => {
  let server: MysqlServer;
  let test: TestApp;
  let token: string;
  beforeAll(async () => {
    server = await startMysqlServer(findMysqlBinary() ?? kind);
    test = await createTestApp({ database: await createMysql(server.url) });
    token = await prime(test);
    await server.kill();
  });
  afterAll(async () => {
    await test.close();
    await server.stop();
  });

  it('keeps no valid token from being served, for 30 s', async () => {
    const durations = await readForSeconds(test, token);
    report('killed', durations);
    expect(Math.max(...durations)).toBeLessThan(SLOWEST_MS);
  });

  it('is answered to WeChat, which pushes again, and to the load balancer', async () => {
    const push = await test.simulator.pushTicket(appid);
    expect([push.status, push.body]).toEqual([
      503,
      expect.stringContaining('"code":"database_unavailable"'),
    ]);
    expect(await test.hub.get('/health/ready')).toMatchObject({
      status: 503,
      json: { status: 'down', database: 'down' },
    });
    for (const path of [`/admin/tokens/${appid}`, `/admin/tickets/${appid}`]) {
      expect(await test.hub.get(path)).toMatchObject({
        status: 503,
        json: { error: { code: 'database_unavailable' } },
      });
    }
  });

  it('costs WeChat no call while a refresh is due and cannot be saved', async () => {
    const before = calls(test);
    test.clock.advance(112 * MINUTE);
    for (let second = 0; second < 10; second += 1) {
      test.clock.advance(SECOND);
      expect((await test.hub.accessToken()).json.component_access_token).toBe(token);
      await tick(test);
    }
    expect(calls(test)).toBe(before);
  });

  it('is forgotten when it is back, without a restart of the hub', async () => {
    await server.restart();
    await eventually('the database', async () => {
      test.clock.advance(2 * SECOND);
      return (await test.hub.get('/health/ready')).status === 200 ? true : undefined;
    });
    const push = await test.simulator.pushTicket(appid);
    expect([push.status, push.body]).toEqual([200, 'success']);
    await eventually('the refresh that was due', async () => {
      test.clock.advance(2 * SECOND);
      await tick(test);
      return (await test.hub.token()).json.generation === 2 ? true : undefined;
    });
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
    expect((await test.hub.get('/health/ready')).json.status).toBe('up');
  });

  it('loses no token that WeChat gives while it is away', async () => {
    test.simulator.addFault({ path: EXCHANGE, kind: 'hang', times: 1 });
    const refresh = test.hub.post(`/admin/tokens/${appid}/refresh`);
    await test.simulator.waitForCall(EXCHANGE, { count: calls(test) + 1 });
    await server.kill();
    test.simulator.release(EXCHANGE);
    const given = await eventually('the new token at WeChat', () =>
      issued(test) === token ? undefined : issued(test),
    );
    await server.restart();
    expect(await refresh).toMatchObject({ status: 200, json: { generation: 3 } });
    expect((await test.hub.accessToken()).json.component_access_token).toBe(given);
  });
});

describe.each(mysqlOnly())('a database that hangs under reads: %s', (kind) => {
  let gate: TcpGate;
  let test: TestApp;
  let token: string;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    gate = await TcpGate.open(Number(new URL(database.url).port));
    test = await createTestApp({ database: { ...database, url: gate.through(database.url) } });
    token = await prime(test);
  });
  afterAll(async () => {
    gate.reopen();
    await test.close();
    await gate.destroy();
    await database.drop();
  });

  it('holds up few reads, each for a moment, and all recovers when it answers', async () => {
    gate.close();
    const durations = await readForSeconds(test, token);
    report('hangs', durations);
    expect(Math.max(...durations)).toBeLessThan(SLOWEST_MS);
    const heldUp = durations.filter((ms) => ms > 400);
    expect(heldUp.length).toBeLessThan(durations.length / 3);
    gate.reopen();
    const push = await eventually('an answer', async () => {
      const result = await test.simulator.pushTicket(appid);
      return result.status === 200 ? result : undefined;
    });
    expect(push.body).toBe('success');
    expect((await test.hub.post(`/admin/tokens/${appid}/refresh`)).status).toBe(200);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });
});

/** Reads at every simulated second; resolves with the durations in milliseconds. */
async function readForSeconds(test: TestApp, token: string): Promise<number[]> {
  const durations: number[] = [];
  const read = async (): Promise<void> => {
    const started = performance.now();
    const { status, json } = await test.hub.accessToken();
    durations.push(performance.now() - started);
    expect([status, json.component_access_token]).toEqual([200, token]);
  };
  for (let second = 0; second < DOWN_SECONDS; second += 1) {
    test.clock.advance(SECOND);
    await Promise.all(Array.from({ length: READERS }, read));
    await tick(test);
  }
  return durations;
}

function report(name: string, durations: number[]): void {
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(1);
  console.log(
    `database ${name}: ${sorted.length} reads over ${DOWN_SECONDS} simulated seconds, median ` +
      `${at(0.5)} ms, p99 ${at(0.99)} ms, slowest ${at(1)} ms`,
  );
}
