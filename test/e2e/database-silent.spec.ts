import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { Database, DatabaseUnavailableError } from '../../src/database/database.js';
import { createTestDatabase, mysqlOnly, type TestDatabase } from '../support/databases.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { HubProcess } from '../support/hub-process.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { prime, SECOND, tick } from '../support/token-world.js';

/** A connection of the hub's, and the proxy's own to the database where it made one. */
interface Way {
  from: Socket;
  to?: Socket;
  dead: boolean;
}

/**
 * A way to a database server on which packets can get lost without a word, as when a firewall
 * forgets a connection or a host loses its power: no reset, no end, only silence.
 */
class SilentProxy {
  private readonly ways = new Set<Way>();
  private silent = false;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  /** Listens on a free port and passes on to the server of the URL, which is on this machine. */
  static async open(databaseUrl: string): Promise<SilentProxy> {
    // Half open: the end of a connection that is dead is not answered with an end.
    const server = createServer({ allowHalfOpen: true });
    const proxy = new SilentProxy(server, Number(new URL(databaseUrl).port));
    server.on('connection', (from) => proxy.join(from));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** The URL of the same database through the proxy. */
  through(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Nothing passes, in either direction; a connection made now is not answered either. */
  fallSilent(): void {
    this.silent = true;
    for (const way of this.ways) way.dead = true;
  }

  /** Connections made from now on work; those before stay dead. */
  resume(): void {
    this.silent = false;
  }

  /** Connections on which something passes. */
  get alive(): number {
    return [...this.ways].filter(({ dead }) => !dead).length;
  }

  /** Cuts everything. */
  async destroy(): Promise<void> {
    for (const { from, to } of this.ways) {
      from.destroy();
      to?.destroy();
    }
    this.server.close();
    await once(this.server, 'close');
  }

  private join(from: Socket): void {
    const way: Way = { from, dead: this.silent };
    this.ways.add(way);
    from.on('error', () => undefined);
    from.on('data', (bytes) => {
      if (!way.dead) way.to?.write(bytes);
    });
    if (way.dead) return;
    const to = connect(this.port, '127.0.0.1').setNoDelay(true);
    way.to = to;
    from.setNoDelay(true);
    to.on('data', (bytes) => {
      if (!way.dead) from.write(bytes);
    });
    const end = (): void => {
      if (way.dead) return;
      this.ways.delete(way);
      from.destroy();
      to.destroy();
    };
    to.on('error', end).on('close', end);
    from.on('end', end).on('close', end);
  }
}

const { appid } = COMPONENT;
/** WeChat gives up after 5 s. */
const PATIENCE_MS = 5000;
/** A service with a token of its own to hand out must not wait for the database. */
const READ_LIMIT_MS = 1500;
const STOP_LIMIT_MS = 10_000;
/** Connections that a hub opens at the most, and is made to open before they die. */
const POOL = 20;

const timed = async <T>(work: Promise<T>): Promise<{ result: T; ms: number }> => {
  const started = performance.now();
  const result = await work;
  return { result, ms: Math.round(performance.now() - started) };
};

/** A push that is lost, in time for WeChat to push again. */
async function expectLost(sending: Promise<Answer>): Promise<number> {
  const { result, ms } = await timed(sending);
  expect(result.status).toBeGreaterThanOrEqual(500);
  expect(result.json.error.code).toMatch(/^(database_unavailable|too_slow)$/);
  expect(ms).toBeLessThan(PATIENCE_MS);
  return ms;
}

/** Makes the hub open all its connections; they are idle in the end. */
async function warm(hub: TestApp['hub'], proxy: SilentProxy): Promise<void> {
  await eventually('all connections to be open', async () => {
    await Promise.all(Array.from({ length: 4 * POOL }, () => hub.ticket(appid, false)));
    return proxy.alive === POOL ? true : undefined;
  });
}

describe.each(mysqlOnly())('a database on %s that falls silent', (kind) => {
  let database: TestDatabase;
  let proxy: SilentProxy;
  let test: TestApp;
  let token: string;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    proxy = await SilentProxy.open(database.url);
    test = await createTestApp({ database: { ...database, url: proxy.through(database.url) } });
    token = await prime(test);
    await warm(test.hub, proxy);
  });
  afterEach(() => proxy.resume());
  afterAll(async () => {
    await test.close();
    await proxy.destroy();
    await database.drop();
  });

  const ready = (): Promise<Answer> => test.hub.get('/health/ready');

  it('costs one unanswered push, however many idle connections have died', async () => {
    test.clock.advance(SECOND);
    proxy.fallSilent();
    proxy.resume();
    const built = test.simulator.buildTicketPush(appid);
    const ms = await expectLost(test.hub.push(built));
    const again = await timed(test.hub.push(built));
    expect(again.result).toMatchObject({ status: 200, text: 'success' });
    console.log(`${POOL} dead idle connections: lost after ${ms} ms, then taken in ${again.ms} ms`);
    expect((await ready()).status).toBe(200);
    await warm(test.hub, proxy);
  });

  it('makes pushes 5xx in time and readiness down, while tokens are served', async () => {
    test.clock.advance(SECOND);
    const built = test.simulator.buildTicketPush(appid);
    proxy.fallSilent();
    const others = Array.from({ length: 2 * POOL }, () => test.hub.ticket());
    const pushes = Array.from({ length: 5 }, () => expectLost(test.hub.push(built)));
    const reads: number[] = [];
    for (let second = 0; second < 10; second += 1) {
      test.clock.advance(SECOND);
      const { result, ms } = await timed(test.hub.accessToken());
      expect([result.status, result.json.component_access_token]).toEqual([200, token]);
      reads.push(ms);
      void tick(test);
    }
    expect(Math.max(...reads)).toBeLessThan(READ_LIMIT_MS);
    expect(await ready()).toMatchObject({
      status: 503,
      json: { status: 'down', database: 'down' },
    });
    const lost = [...(await Promise.all(pushes)), await expectLost(test.hub.push(built))];
    console.log(
      `silent: pushes lost after ${lost.join(', ')} ms, reads within ${reads.join(', ')}`,
    );
    expect((await ready()).status).toBe(503);
    const statuses = (await Promise.all(others)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    const { json: seen } = await test.hub.get('/admin/doctor');
    const codes = (seen.checks as { code: string }[]).map(({ code }) => code);
    expect(codes.filter((code) => /^(?:database_down|check_failed)$/.test(code))).toEqual([
      'database_down',
    ]);

    proxy.resume();
    const push = await eventually('the push to be taken', async () => {
      const answer = await test.hub.push(built);
      return answer.status === 200 ? answer : undefined;
    });
    expect(push.text).toBe('success');
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
    expect(await ready()).toMatchObject({ status: 200, json: { database: 'up' } });
    await warm(test.hub, proxy);
  });

  it('lets go of what was being written: another host can write it within seconds', async () => {
    const change = "UPDATE callback_event SET problem = 'fake'";
    const unit = test.app.get(Database).transaction(async (manager) => {
      await manager.query(change);
      proxy.fallSilent();
      await manager.query(change);
    });
    const lost = expect(unit).rejects.toThrow(DatabaseUnavailableError);
    const other = await createConnection({ uri: database.url });
    try {
      await eventually('silence', () => (proxy.alive === 0 ? true : undefined));
      await other.query('SET SESSION innodb_lock_wait_timeout = 40');
      const { ms } = await timed(other.query(change));
      console.log(`The lock of a host that fell silent was given up after ${ms} ms`);
      await lost;
      const [rows] = await other.query<RowDataPacket[]>('SELECT VERSION() AS version');
      expect(ms).toBeGreaterThan(2000);
      expect(ms).toBeLessThan(/MariaDB/.test(rows[0]?.version) ? 8000 : 35_000);
    } finally {
      await other.end();
    }
  }, 60_000);

  it('leaves the hub all its connections, also after a hundred were cut', async () => {
    const slow = (): Promise<unknown> =>
      test.app.get(Database).read((manager) => manager.query('SELECT SLEEP(1)'), 200);
    for (let round = 0; round < 5; round += 1) {
      const works = await Promise.allSettled(Array.from({ length: POOL }, slow));
      const reasons = works.map((work) => (work as PromiseRejectedResult).reason);
      expect(reasons).toEqual(works.map(() => expect.any(DatabaseUnavailableError)));
    }
    await warm(test.hub, proxy);
  });
});

describe.each(mysqlOnly())('a hub process whose %s connections hang', (kind) => {
  let database: TestDatabase;
  let proxy: SilentProxy;
  let simulator: WechatSimulator;
  let host: HubProcess;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    proxy = await SilentProxy.open(database.url);
    simulator = await WechatSimulator.start({ components: [COMPONENT] });
    host = await HubProcess.start(
      hubEnvironment({
        DATABASE_URL: proxy.through(database.url),
        WECHAT_API_BASE_URL: simulator.url,
      }),
    );
  });
  afterAll(async () => {
    await host.kill();
    await simulator.stop();
    await proxy.destroy();
    await database.drop();
  });

  it('ends with 0 on SIGTERM, in time', async () => {
    const pushUrl = `${host.hub.url}/callback/${appid}/events`;
    simulator.updateComponent(appid, { pushUrl });
    await simulator.pushTicket(appid);
    expect((await host.hub.accessToken()).status).toBe(200);
    await warm(host.hub, proxy);
    proxy.fallSilent();
    const cut = [
      host.hub.push(simulator.buildTicketPush(appid)),
      ...Array.from({ length: 2 * POOL }, () => host.hub.ticket()),
    ].map((request) => request.catch(() => undefined));
    // What the hub has sent, and nobody answers, is under way when the signal comes.
    expect(await host.hub.get('/health/live')).toMatchObject({ status: 200 });
    const { result, ms } = await timed(host.stop());
    await Promise.all(cut);
    console.log(`SIGTERM with hung connections: exit ${result} after ${ms} ms`);
    expect(result).toBe(0);
    expect(ms).toBeLessThan(STOP_LIMIT_MS);
  });
});
