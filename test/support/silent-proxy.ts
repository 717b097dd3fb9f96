import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

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
export class SilentProxy {
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

  /** Nothing passes any more, in either direction; a connection made now is not answered either. */
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
