import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** Longest wait for something to arrive, in milliseconds. */
const LIMIT_MS = 10_000;

/** A call that arrived. */
export interface ReceivedWebhook {
  path: string;
  headers: Record<string, string>;
  body: string;
  /** The parsed body; undefined where it is not JSON. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json: any;
  /** `webhook-id`. */
  id: string;
  /** Port of the caller: one for each connection. */
  port: number;
}

/** How a call is answered. */
export interface WebhookAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Milliseconds before the answer. */
  delayMs?: number;
  /** The answer waits for it. */
  until?: Promise<unknown>;
  /** No answer at all. */
  hang?: boolean;
  /** Whatever else a hostile target does with its socket. */
  raw?: (response: ServerResponse) => void;
}

type Answering = WebhookAnswer | ((call: ReceivedWebhook) => WebhookAnswer);

/** A service that subscribes: a real HTTP server that keeps what it is sent. */
export class WebhookReceiver {
  readonly received: ReceivedWebhook[] = [];
  /** Calls that are not answered yet, and the most there were at once. */
  open = 0;
  mostOpen = 0;
  private answering: Answering = {};
  private waiters: (() => void)[] = [];

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(answering: Answering = {}): Promise<WebhookReceiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const receiver = new WebhookReceiver(server, (server.address() as AddressInfo).port);
    receiver.answering = answering;
    server.on('request', (request, response) => void receiver.take(request, response));
    return receiver;
  }

  /** How the next calls are answered; 200 without a body by default. */
  answer(answering: Answering): void {
    this.answering = answering;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Resolves when so many calls have arrived since the last {@link clear}. */
  async arrived(count: number): Promise<ReceivedWebhook[]> {
    await this.until(`${count} calls`, () => this.received.length >= count);
    return this.received;
  }

  /** Resolves when `done` holds; looked at whenever a call arrives or is answered. */
  async until(what: string, done: () => boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      const fail = (): void =>
        reject(new Error(`Waited in vain for ${what}: ${this.received.length} calls arrived`));
      timer = setTimeout(fail, LIMIT_MS);
    });
    while (!done()) {
      const next = new Promise<void>((resolve) => this.waiters.push(resolve));
      await Promise.race([next, limit]);
    }
    clearTimeout(timer);
    limit.catch(() => undefined);
  }

  clear(): void {
    this.received.length = 0;
    this.mostOpen = this.open;
  }

  /** Ends every call that is under way without an answer. */
  hangUp(): void {
    this.server.closeAllConnections();
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.hangUp();
    await once(this.server, 'close');
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open += 1;
    this.mostOpen = Math.max(this.open, this.mostOpen);
    response.on('close', () => {
      this.open -= 1;
      this.wakeUp();
    });
    const call = await readCall(request);
    this.received.push(call);
    this.wakeUp();
    const answer = typeof this.answering === 'function' ? this.answering(call) : this.answering;
    if (answer.hang) return;
    if (answer.delayMs) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    await answer.until;
    if (answer.raw) return answer.raw(response);
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.body);
  }

  private wakeUp(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}

async function readCall(request: IncomingMessage): Promise<ReceivedWebhook> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('utf8');
  const headers = request.headers as Record<string, string>;
  return {
    path: request.url ?? '',
    headers,
    body,
    json: parse(body),
    id: headers['webhook-id'] ?? '',
    port: request.socket.remotePort ?? 0,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Whether one of the call's signatures is that of `secret`, by the library of Standard Webhooks.
 * Its age is not looked at: the hub's time stands where a test has put it.
 */
export function isSignedBy({ headers, body, id }: ReceivedWebhook, secret: string): boolean {
  const at = new Date(Number(headers['webhook-timestamp']) * 1000);
  const expected = new Webhook(secret).sign(id, at, body);
  return (headers['webhook-signature'] ?? '').split(' ').includes(expected);
}
