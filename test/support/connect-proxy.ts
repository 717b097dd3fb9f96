import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** One CONNECT as the proxy got it. */
export interface Connect {
  /** `host:port` as the client wrote it. */
  target: string;
  /** Value of Proxy-Authorization. */
  credentials: string | undefined;
}

/**
 * What the proxy does with a CONNECT: it connects, answers a status, says nothing, ends the
 * connection, or answers what is not HTTP.
 */
export type ProxyBehaviour = 'connect' | 'hang' | 'end' | 'babble' | number;

/** A proxy that knows CONNECT only, and connects with targets of this machine, whatever their name. */
export class ConnectProxy {
  readonly connects: Connect[] = [];
  behaviour: ProxyBehaviour = 'connect';
  /** Credentials that it wants, as `user:password`. */
  wants: string | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async open(): Promise<ConnectProxy> {
    const server = createServer();
    const proxy = new ConnectProxy(server);
    server.on('connection', (socket) => proxy.serve(socket));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  /** `host:port` */
  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Connections of clients that are open. */
  get open(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  /** Ends every connection. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      this.answer(socket, head);
    };
    socket.on('data', read);
  }

  private answer(socket: Socket, head: string): void {
    const target = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head)?.[1];
    if (target === undefined) return void socket.end('HTTP/1.1 405 CONNECT only\r\n\r\n');
    const credentials = /^proxy-authorization: (.*)$/im.exec(head)?.[1]?.trim();
    this.connects.push({ target, credentials });
    if (this.behaviour === 'hang') return;
    if (this.behaviour === 'end') return void socket.end();
    if (this.behaviour === 'babble') return void socket.end('SSH-2.0-fake\r\n\r\n');
    const wanted = `Basic ${Buffer.from(this.wants ?? '').toString('base64')}`;
    const refused = this.wants !== undefined && credentials !== wanted;
    const status = refused ? 407 : this.behaviour;
    if (status !== 'connect') return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    this.join(socket, Number(target.split(':').at(-1)));
  }

  private join(from: Socket, port: number): void {
    const to = connect(port, '127.0.0.1', () => {
      from.write('HTTP/1.1 200 Connection established\r\n\r\n');
      from.pipe(to).pipe(from);
    });
    to.on('error', () => from.destroy());
    from.on('close', () => to.destroy());
    to.on('close', () => from.destroy());
  }
}
