import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, mysqlOnly, type TestDatabase } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { freePort } from '../support/mysql-server.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { prime, SECOND } from '../support/token-world.js';

const { appid } = COMPONENT;
const PUSHES = 40;

/** A host of the database that can be down: it passes on to the server of the tests. */
class Host {
  private readonly sockets = new Set<Socket>();
  /** Connections that were made since the last look. */
  connections = 0;
  private server: Server | undefined;

  constructor(
    readonly port: number,
    private readonly to: number,
  ) {}

  async up(): Promise<void> {
    this.server = createServer((from) => this.join(from, connect(this.to, '127.0.0.1')));
    await once(this.server.listen(this.port, '127.0.0.1'), 'listening');
  }

  /** Cuts everything, as a server does that is killed. */
  async down(): Promise<void> {
    if (!this.server?.listening) return;
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }

  private join(from: Socket, to: Socket): void {
    this.connections += 1;
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    from.pipe(to);
    to.pipe(from);
  }
}

describe.each(mysqlOnly())('DATABASE_URL with two hosts on %s', (kind) => {
  let database: TestDatabase;
  let first: Host;
  let second: Host;
  let test: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const url = new URL(database.url);
    first = new Host(await freePort(), Number(url.port));
    second = new Host(await freePort(), Number(url.port));
    await second.up();
    const hosts = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
    const several = database.url.replace(url.host, hosts);
    // The first one is down from the beginning.
    test = await createTestApp({ database: { ...database, url: several } });
    await prime(test);
  });
  afterAll(async () => {
    await test.close();
    await first.down();
    await second.down();
    await database.drop();
  });

  /** Tickets that arrive together; all of them are answered. */
  async function push(during: () => Promise<void> = async () => undefined): Promise<string[]> {
    const pushes = Array.from({ length: PUSHES }, () => {
      test.clock.advance(SECOND);
      return test.hub.push(test.simulator.buildTicketPush(appid));
    });
    await during();
    return (await Promise.all(pushes)).map(({ status, text }) => `${status} ${text}`);
  }

  it('starts and serves by the second where the first is down', async () => {
    expect(new Set(await push())).toEqual(new Set(['200 success']));
    expect(second.connections).toBeGreaterThan(0);
  });

  it('goes back to the first when all others fail, and loses no push that it answered', async () => {
    await first.up();
    const answers = await push(() => second.down());
    // What was committing when its connection broke is pushed again by WeChat.
    expect(answers.every((answer) => /^(200 success|503 )/.test(answer))).toBe(true);
    expect(first.connections).toBeGreaterThan(0);
    expect(new Set(await push())).toEqual(new Set(['200 success']));
  });

  it('goes on by the second when the first dies and the second is back', async () => {
    await second.up();
    second.connections = 0;
    await first.down();
    expect(new Set(await push())).toEqual(new Set(['200 success']));
    expect(second.connections).toBeGreaterThan(0);
    expect((await test.hub.get('/health/ready')).status).toBe(200);
  });

  it('says 503 while both are down', async () => {
    await second.down();
    test.clock.advance(SECOND);
    const { status } = await test.hub.push(test.simulator.buildTicketPush(appid));
    expect(status).toBe(503);
  });
});
