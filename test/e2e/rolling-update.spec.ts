import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, type Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { createTestDatabase, mysqlOnly, type TestDatabase } from '../support/databases.js';
import { subscribe } from '../support/delivery-world.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import { HubClient } from '../support/hub-client.js';
import { HubProcess } from '../support/hub-process.js';
import { freePort } from '../support/mysql-server.js';
import { allDelivered, eventsUrlOf } from '../support/process-fleet.js';
import { TokenReaders } from '../support/token-readers.js';
import { PushStream, type PushOutcome } from '../support/push-stream.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const HAPROXY = '/usr/sbin/haproxy';
const CONFIGURATION = join(import.meta.dirname, '../../ops/compose/haproxy.cfg');
/** `dist/main.js` of an earlier version, to update from; this build where none is given. */
const { OLD_HUB } = process.env;
const PUSHES_PER_SECOND = 50;
const READERS = 4;
/** More than HAProxy needs for two checks of a second each. */
const STOP_DELAY_SECONDS = Number(process.env.STOP_DELAY_SECONDS ?? 3);
/** WeChat pushes three times at the most. */
const WECHAT_TRIES = 3;
const HUBS = 4;

const hasProxy = existsSync(HAPROXY);
if (!hasProxy) {
  if (process.env.REQUIRE_HAPROXY === '1') throw new Error('REQUIRE_HAPROXY=1, but it is missing');
  console.log("The rolling update is skipped: Debian's package haproxy is missing");
}

describe.each(hasProxy ? mysqlOnly() : [])('a rolling update of two hubs on %s', (kind) => {
  let database: TestDatabase;
  let simulator: WechatSimulator;
  let receiver: WebhookReceiver;
  let balancer: Balancer;
  let sql: Connection;
  let ports: number[];
  const hubs: HubProcess[] = [];
  const exits: (number | null)[] = [];
  let outcomes: PushOutcome[];
  let refusals: number;
  let reads: Map<number | string, number>;

  async function start(slot: number, main?: string): Promise<HubProcess> {
    const env = {
      PORT: String(ports[slot]),
      DATABASE_URL: database.url,
      WECHAT_API_BASE_URL: simulator.url,
      DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
      TRUSTED_PROXIES: '127.0.0.1',
      STOP_DELAY_SECONDS: String(STOP_DELAY_SECONDS),
    };
    const hub = await HubProcess.start(hubEnvironment(env), undefined, main);
    hubs.push(hub);
    return hub;
  }

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    sql = await createConnection({ uri: database.url });
    simulator = await WechatSimulator.start({ components: [COMPONENT] });
    receiver = await WebhookReceiver.start();
    ports = [];
    for (let slot = 0; slot < HUBS; slot += 1) ports.push(await freePort());
    const first = await start(0, OLD_HUB);
    simulator.updateComponent(COMPONENT.appid, { pushUrl: eventsUrlOf(first, COMPONENT.appid) });
    await simulator.pushTicket(COMPONENT.appid);
    await subscribe(first, receiver, { mode: 'subscriber', kinds: ['message'] });
    // Reads the subscription as it starts.
    const second = await start(1, OLD_HUB);
    expect((await second.hub.accessToken()).status).toBe(200);
    balancer = await Balancer.start(ports);
    await balancer.sees([true, true, false, false]);

    const through = new HubClient(balancer.url);
    const stream = new PushStream(simulator, [through], PUSHES_PER_SECOND);
    const reading = new TokenReaders(Array.from({ length: READERS }, () => through));
    await replace(first, 2, [true, true, true, false], [false, true, true, false]);
    await replace(second, 3, [false, true, true, true], [false, false, true, true]);
    outcomes = await stream.end();
    refusals = stream.refusals.length;
    reads = await reading.end();
    await allDelivered(sql);
  }, 90_000);
  afterAll(async () => {
    await balancer?.stop();
    await Promise.all(hubs.map((hub) => hub.kill()));
    await receiver?.close();
    await simulator?.stop();
    sql?.destroy();
    await database?.drop();
  });

  /** As Kubernetes does: the new one is ready, then the old one is asked to end. */
  async function replace(
    old: HubProcess,
    slot: number,
    meanwhile: boolean[],
    after: boolean[],
  ): Promise<void> {
    await start(slot);
    await balancer.sees(meanwhile);
    const stopped = old.stop();
    await balancer.sees(after);
    exits.push(await stopped);
  }

  it('ends the old hubs in order', () => {
    expect(exits).toEqual([0, 0]);
  });

  it('has every push answered within the tries of WeChat', () => {
    const tries = Math.max(...outcomes.map((one) => one.tries));
    console.log(
      `Rolling update${OLD_HUB ? ' from an earlier version' : ''}: ${outcomes.length} pushes, ` +
        `${refusals} tries refused, at most ${tries} tries`,
    );
    expect(outcomes.length).toBeGreaterThan(PUSHES_PER_SECOND);
    expect(outcomes.filter((one) => !one.answered || one.tries > WECHAT_TRIES)).toEqual([]);
  });

  it('delivers each push once', () => {
    const texts = receiver.received.map(({ body }) => /push \d+/.exec(body)?.[0] ?? body);
    console.log(`Rolling update: ${texts.length} deliveries`);
    expect(texts.toSorted()).toEqual(outcomes.map(({ text }) => text).toSorted());
  });

  it('answers every read of a token', () => {
    console.log(`Rolling update: reads ${JSON.stringify(Object.fromEntries(reads))}`);
    expect([...reads.keys()]).toEqual([200]);
  });
});

/** @throws where nothing matches: HAProxy would then run as no file of `ops` configures it. */
function replaced(
  text: string,
  pattern: RegExp,
  replacement: (...found: string[]) => string,
): string {
  if (!pattern.test(text)) throw new Error(`Nothing in ${CONFIGURATION} matches ${pattern.source}`);
  return text.replace(pattern, replacement);
}

/** HAProxy as `ops/compose` configures it, before hubs of this machine. */
class Balancer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
    private readonly statistics: string,
  ) {}

  static async start(ports: number[]): Promise<Balancer> {
    const folder = mkdtempSync(join(tmpdir(), 'hub-haproxy-'));
    const [port, statistics] = [await freePort(), await freePort()];
    const servers = (_: string, options: string): string =>
      ports.map((own, slot) => `  server hub-${slot} 127.0.0.1:${own} ${options}`).join('\n');
    let text = readFileSync(CONFIGURATION, 'utf8');
    text = replaced(text, /^resolvers docker\n.*\n/m, () => '');
    text = replaced(text, /bind :3000/, () => `bind 127.0.0.1:${port}`);
    text = replaced(text, /^ {2}server-template \S+ \d+ \S+ (.*) resolvers docker .*$/m, servers);
    const watched = `listen statistics\n  bind 127.0.0.1:${statistics}\n  stats enable\n  stats uri /\n`;
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, `${text}\n${watched}`);
    const child = spawn(HAPROXY, ['-db', '-f', file], { stdio: 'ignore' });
    const url = (own: number): string => `http://127.0.0.1:${own}`;
    return new Balancer(child, folder, url(port), `${url(statistics)}/;csv`);
  }

  /** Resolves when it sends requests to these hubs, in the order of their slots. */
  async sees(wanted: boolean[]): Promise<void> {
    await eventually(`HAProxy to use ${JSON.stringify(wanted)}`, async () => {
      const answer = await fetch(this.statistics).catch(() => undefined);
      const lines = (await answer?.text())?.split('\n').map((line) => line.split(',')) ?? [];
      const status = lines[0]?.indexOf('status') ?? -1;
      const seen = lines.filter(([, name]) => name?.startsWith('hub-'));
      // "UP 1/2" and "DOWN 1/2" are on their way to the other.
      const used = seen.map((line) => line[status]);
      const isSettled = used.every((one, slot) => one === (wanted[slot] ? 'UP' : 'DOWN'));
      return (seen.length === wanted.length && isSettled) || undefined;
    });
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
