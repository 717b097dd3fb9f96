import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of a request; `forward` takes it to the hub. */
export type FrontMode = 'forward' | 'hang' | ((response: ServerResponse) => void);

/** What stands before a hub under its public address, such as a reverse proxy. */
export class PublicFront {
  mode: FrontMode = 'forward';
  /** Where the hub is. */
  target = '';
  /** Requests that arrived. */
  arrived = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<PublicFront> {
    const server = createServer();
    const front = new PublicFront(server);
    server.on('request', (incoming, response) => front.take(incoming, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return front;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private take(incoming: IncomingMessage, response: ServerResponse): void {
    this.arrived += 1;
    if (this.mode === 'hang') return;
    if (typeof this.mode === 'function') return this.mode(response);
    const { method, headers, url = '' } = incoming;
    const outgoing = request(this.target + url, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  }
}
