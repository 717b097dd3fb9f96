import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { RowDataPacket } from 'mysql2/promise';
import type { MessageResult } from '../../simulator/message-sender.js';
import type { HubProcess } from './hub-process.js';
import { poll, type ProcessFleet } from './process-fleet.js';

/** The load balancer before several hubs: WeChat knows one address. */
export class Balancer {
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

/** Messages at a steady rate: sent when they are due, whether the earlier ones were answered. */
export class MessageStream {
  sent = 0;
  /** How every message went, once all have ended. */
  readonly ended: Promise<MessageResult[]>;

  constructor(
    { count, perSecond }: { count: number; perSecond: number },
    send: (number: number) => Promise<MessageResult>,
  ) {
    const began = performance.now();
    const results: Promise<MessageResult>[] = [];
    this.ended = new Promise((resolve) => {
      const timer = setInterval(() => {
        const due = 1 + Math.floor(((performance.now() - began) * perSecond) / 1000);
        for (; this.sent < Math.min(due, count); this.sent += 1) results.push(send(this.sent));
        if (this.sent < count) return;
        clearInterval(timer);
        resolve(Promise.all(results));
      }, 5);
    });
  }
}

/** A service that keeps what it took, by `webhook-id`, and may be down or slow for a while. */
export class CountingTarget {
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
    let release: () => void = () => undefined;
    this.held = new Promise((resolve) => (release = resolve));
    return () => {
      this.held = undefined;
      release();
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
 * Deliveries that a hub that was killed just now has in hand: those of the owner that begins
 * nothing more.
 */
export async function inHandOfKilled({ sql }: ProcessFleet, killedAt: number): Promise<string[]> {
  const leased = `FROM delivery WHERE status = 'pending' AND lease_owner IS NOT NULL`;
  const survivor = await poll('a delivery of the other hub', async () => {
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
export async function endLeases({ sql }: ProcessFleet, ids: string[]): Promise<void> {
  await sql.query(
    `UPDATE delivery SET next_attempt_at = ? WHERE status = 'pending' AND id IN (?)`,
    [Date.now(), ids],
  );
}
