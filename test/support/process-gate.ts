import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A way to a database server that a test can close and open: what a hub sends through a closed
 * gate is held and goes on, late, when it opens, as after a hiccup of the network.
 */
export class TcpGate {
  private readonly sockets = new Set<Socket>();
  private readonly events = new EventEmitter();
  private readonly held: { to: Socket; bytes: Buffer }[] = [];
  private closed = false;
  private closesAt: string | undefined;

  private constructor(private readonly server: Server) {}

  /** Listens on a free port and passes on to `port` of this machine. */
  static async open(port: number): Promise<TcpGate> {
    const server = createServer();
    const gate = new TcpGate(server);
    server.on('connection', (from) => gate.join(from, connect(port, '127.0.0.1')));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return gate;
  }

  /** The URL of the same database through the gate. */
  through(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Holds what comes from the hub from now on. */
  close(): void {
    this.closed = true;
    this.closesAt = undefined;
    this.events.emit('closed');
  }

  /**
   * Holds what comes from the hub from the first piece on that has the text in it, which is awaited.
   * What came before goes through, so that no connection waits for anything else.
   */
  async closeAt(text: string): Promise<void> {
    this.closesAt = text;
    await once(this.events, 'closed');
  }

  /** Passes on what was held, in order. */
  reopen(): void {
    this.closed = false;
    for (const { to, bytes } of this.held.splice(0)) to.write(bytes);
  }

  /** Cuts everything. */
  async destroy(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(from: Socket, to: Socket): void {
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      // A connection that was cut is no more than closed on its other side.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    to.on('data', (bytes) => from.write(bytes));
    from.on('data', (bytes: Buffer) => {
      if (this.closesAt !== undefined && bytes.includes(this.closesAt)) this.close();
      if (this.closed) this.held.push({ to, bytes });
      else to.write(bytes);
    });
  }
}
