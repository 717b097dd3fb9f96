import type { RowDataPacket } from 'mysql2/promise';
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { MessageResult } from '../../simulator/message-sender.js';
import { count } from '../support/authorizer-fleet.js';
import { PLATFORM } from '../support/authorizer-world.js';
import { mysqlOnly } from '../support/databases.js';
import { gate } from '../support/gate.js';
import type { HubProcess } from '../support/hub-process.js';
import { ProcessFleet } from '../support/process-fleet.js';

/** The load balancer before several hubs: WeChat knows one address. */
class Balancer {
  private next = 0;

  private constructor(
    private readonly server: Server,
    private readonly ports: number[],
  ) {}

  static async start(hubs: HubProcess[]): Promise<Balancer> {
    const server = createServer();
    const balancer = new Balancer(
      server,
      hubs.map(({ hub }) => Number(new URL(hub.url).port)),
    );
    server.on('connection', (client: Socket) => balancer.pass(client, hubs.length));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.close();
    await once(this.server, 'close');
  }

  /** A hub that can't be reached is passed over. */
  private pass(client: Socket, tries: number): void {
    this.next += 1;
    const port = this.ports[this.next % this.ports.length] as number;
    const hub = connect(port, '127.0.0.1');
    client.on('error', () => hub.destroy()).on('close', () => hub.destroy());
    const refused = (): unknown => (tries > 1 ? this.pass(client, tries - 1) : client.destroy());
    hub.once('error', refused);
    hub.once('connect', () => {
      hub.off('error', refused);
      hub.on('error', () => client.destroy()).on('close', () => client.destroy());
      client.pipe(hub).pipe(client);
    });
  }
}

/** Messages at a steady rate, sent when they are due and no more than so many are under way. */
class MessageStream {
  sent = 0;
  /** How every message went, once all have ended. */
  readonly ended: Promise<MessageResult[]>;

  constructor(
    plan: { count: number; perSecond: number; atOnce: number },
    send: (number: number) => Promise<MessageResult>,
  ) {
    const began = performance.now();
    const results: Promise<MessageResult>[] = [];
    let underWay = 0;
    this.ended = new Promise((resolve) => {
      const timer = setInterval(() => {
        const due = 1 + Math.floor(((performance.now() - began) * plan.perSecond) / 1000);
        while (this.sent < Math.min(due, plan.count) && underWay < plan.atOnce) {
          underWay += 1;
          results.push(send(this.sent).finally(() => (underWay -= 1)));
          this.sent += 1;
        }
        if (this.sent < plan.count) return;
        clearInterval(timer);
        resolve(Promise.all(results));
      }, 5);
    });
  }
}

/** A service that keeps what it took, by `webhook-id`, and may be down or slow for a while. */
class CountingTarget {
  /** MsgId of each call that was taken, in their order. */
  readonly taken = new Map<string, string[]>();
  /** Calls that are not answered yet. */
  open = 0;
  private server: HttpServer | undefined;
  private port = 0;
  private held: Promise<void> | undefined;

  static async start(): Promise<CountingTarget> {
    const target = new CountingTarget();
    await target.up();
    return target;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  async up(): Promise<void> {
    const server = createHttpServer((request, response) => void this.take(request, response));
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Takes nothing more; resolves when what it has taken is answered. */
  async down(): Promise<void> {
    if (!this.server?.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  /** From now on answers wait until the function that this returns is called. */
  hold(): () => void {
    const { opened, open } = gate();
    this.held = opened;
    return () => {
      this.held = undefined;
      open();
    };
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open += 1;
    response.on('close', () => (this.open -= 1));
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
    const id = String(request.headers['webhook-id']);
    const { data } = JSON.parse(body) as { data: { fields: { MsgId: string } } };
    this.taken.set(id, [...(this.taken.get(id) ?? []), data.fields.MsgId]);
    await this.held;
    response.end();
  }
}

/**
 * Deliveries that a hub that was killed just now has leased: those of the owner that begins
 * nothing more.
 */
async function inHandOfKilled({ sql }: ProcessFleet, killedAt: number): Promise<string[]> {
  const leased = `FROM delivery WHERE status = 'pending' AND lease_owner IS NOT NULL`;
  const survivor = await eventually('a delivery of the other hub', async () => {
    const [rows] = await sql.query<RowDataPacket[]>(
      `SELECT lease_owner AS owner ${leased} AND created_at > ? LIMIT 1`,
      [killedAt + 100],
    );
    return rows[0]?.owner as string | undefined;
  });
  const [rows] = await sql.query<RowDataPacket[]>(`SELECT id ${leased} AND lease_owner <> ?`, [
    survivor,
  ]);
  return rows.map(({ id }) => id as string);
}

/** The leases of these deliveries end now. */
async function endLeases({ sql }: ProcessFleet, ids: string[]): Promise<void> {
  await sql.query(
    `UPDATE delivery SET next_attempt_at = ? WHERE status = 'pending' AND id IN (?)`,
    [Date.now(), ids],
  );
}

const MESSAGES = 1500;
const PER_SECOND = 150;
const ACCOUNTS = 20;
/** Messages after which the target goes, and a hub. */
const DOWN_AFTER = 300;
const KILL_AFTER = 800;
/** Deliveries that fail before the target comes back. */
const FAILED = 40;
/** Calls that the target has taken and not answered when the hub is killed. */
const UNDER_WAY = 10;
/**
 * WeChat's own three come seconds apart. These follow at once, and may meet connections that are
 * just breaking.
 */
const TRIES = 10;
/** For what takes seconds where nothing else runs. */
const LIMIT_MS = 45_000;
const ENV = { DELIVERY_ALLOWED_TARGETS: '127.0.0.1' };

/** Messages through two hosts; their target is down for a while, and a host ends in the middle. */
describe.each(mysqlOnly())('one of two hosts on %s, killed while it delivers', (kind) => {
  let fleet: ProcessFleet;
  let target: CountingTarget;
  let balancer: Balancer;
  let stream: MessageStream;
  let results: MessageResult[];
  let inHand: string[];
  let failed: number;
  let answered: (string | null)[];

  beforeAll(async () => {
    target = await CountingTarget.start();
    fleet = await ProcessFleet.start(kind, 0);
    const victim = await fleet.addHub(ENV);
    await subscribe(victim);
    // Started later, it knows of the subscription from the first message on.
    const survivor = await fleet.addHub(ENV);
    await fleet.prime(PLATFORM, survivor);
    balancer = await Balancer.start([victim, survivor]);
    startLoad();
    failed = await outage();
    inHand = await crash(victim);
    results = await stream.ended;
    const taken = results.filter(({ outcome }) => outcome === 'success');
    answered = taken.map(({ msgId }) => msgId);
    await endLeases(fleet, inHand);
    await eventually('the last delivery', async () => ((await pending()) === 0 ? true : undefined));
  }, 120_000);

  afterAll(async () => {
    await fleet?.close();
    await balancer?.close();
    await target?.down();
  });

  async function subscribe({ hub }: HubProcess): Promise<void> {
    const body = { name: 'A service', url: target.url, kinds: ['message'] };
    const { status, text } = await hub.post('/admin/subscriptions', body);
    if (status !== 201) throw new Error(`Adding a subscription answered ${status} ${text}`);
  }

  function startLoad(): void {
    const { simulator } = fleet;
    const accounts = simulator.accounts.add({ count: ACCOUNTS, authorizedTo: PLATFORM });
    stream = new MessageStream({ count: MESSAGES, perSecond: PER_SECOND, atOnce: 32 }, (number) =>
      simulator.messages.send(PLATFORM, accounts[number % ACCOUNTS] ?? '', {
        fromUser: `o_user_of_the_stream_${number}`,
        tries: TRIES,
        url: `${balancer.url}/callback/${PLATFORM}/messages/$APPID$`,
      }),
    );
  }

  async function untilSent(messages: number): Promise<void> {
    await eventually(
      `${messages} messages`,
      async () => (stream.sent >= messages ? true : undefined),
      LIMIT_MS,
    );
  }

  /** @returns how many deliveries it made fail. */
  async function outage(): Promise<number> {
    await untilSent(DOWN_AFTER);
    await target.down();
    const refused = `SELECT COUNT(*) FROM delivery WHERE attempts >= 1 AND status = 'pending'`;
    const failures = await eventually(
      'failed deliveries',
      async () => {
        const found = await count(fleet, refused);
        return found >= FAILED ? found : undefined;
      },
      LIMIT_MS,
    );
    await target.up();
    return failures;
  }

  /** @returns what the host had leased. */
  async function crash(victim: HubProcess): Promise<string[]> {
    await untilSent(KILL_AFTER);
    const release = target.hold();
    const owners =
      "SELECT COUNT(DISTINCT lease_owner) FROM delivery WHERE status = 'pending' " +
      `AND lease_owner IS NOT NULL AND created_at > ${Date.now()}`;
    await eventually('calls of both hosts under way', async () =>
      target.open >= UNDER_WAY && (await count(fleet, owners)) === 2 ? true : undefined,
    );
    const killedAt = Date.now();
    await victim.kill();
    release();
    return inHandOfKilled(fleet, killedAt);
  }

  function pending(): Promise<number> {
    return count(fleet, `SELECT COUNT(*) FROM delivery WHERE status = 'pending'`);
  }

  it('leaves every message answered, by the hosts that live', () => {
    expect(results.filter(({ outcome }) => outcome !== 'success')).toEqual([]);
    expect(new Set(answered).size).toBe(MESSAGES);
  });

  it('loses none of those that were answered', () => {
    const delivered = new Set<string | null>([...target.taken.values()].flat());
    expect(answered.filter((msgId) => !delivered.has(msgId))).toEqual([]);
  });

  it('has WeChat’s second tries delivered to nobody', async () => {
    expect(await count(fleet, `SELECT COUNT(*) FROM callback_event WHERE kind = 'message'`)).toBe(
      MESSAGES,
    );
    expect(await count(fleet, `SELECT COUNT(*) FROM delivery WHERE status = 'delivered'`)).toBe(
      MESSAGES,
    );
    expect(target.taken.size).toBe(MESSAGES);
  });

  it('delivers twice only what the dead host had under way', () => {
    const twice = [...target.taken].filter(([, calls]) => calls.length > 1);
    const tries = results.reduce((sum, result) => sum + result.tries.length, 0);
    console.log(
      `${tries - MESSAGES} second tries of WeChat, ${failed} deliveries put off, ` +
        `${inHand.length} in the dead host's hands, ${twice.length} of them delivered twice`,
    );
    const known = new Set(inHand);
    expect(twice.filter(([id]) => !known.has(id))).toEqual([]);
    expect(twice.every(([, calls]) => calls.length === 2)).toBe(true);
    expect(twice.length).toBeGreaterThan(0);
  });
});
