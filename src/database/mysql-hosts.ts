import { callbackify, promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import type { Pool, PoolConnection, PoolOptions } from 'mysql2';
import { codeOf } from './database-error.js';
import type { MysqlServerOptions } from './mysql-address.js';
import { pinnedMysql } from './pinned-mysql.js';

/** How long a host that failed is passed over before it is tried again, in milliseconds. */
const AVOID_MS = 30_000;
/** Idle connections are closed after this where several hosts are: one that is no longer used. */
const IDLE_MS = 60_000;

/** Which host each connection leads to. */
const hosts = new WeakMap<object, MysqlHost>();

/**
 * Says that the host behind a connection has failed: it is passed over for a while, if there are
 * others. What waits for one of its connections goes on to the next host.
 */
export function avoidHostOf(connection: object, error: Error): void {
  hosts.get(connection)?.avoid(error);
}

/**
 * `mysql2` as TypeORM uses it, for one or several hosts of the same database.
 *
 * ```
 *          connection failed, or broke, or fell silent
 *   used ─────────────────────────────────────────────▶ avoided, 30 s
 *    ▲                                                      │ one connection is tried, beside the work
 *    └──────────────────────────────────────────────────────┘ failed: 30 s more
 * ```
 */
export function mysqlOfHosts(servers: MysqlServerOptions[]): {
  createPool(options: PoolOptions): Pick<Pool, 'getConnection'> & { end: Pool['end'] };
} {
  return {
    createPool: (options) => new HostsPool(servers, options) as never,
  };
}

/** A pool of connections for each host; a connection comes from the first host that is well. */
class HostsPool {
  private readonly all: MysqlHost[];

  constructor(servers: MysqlServerOptions[], options: PoolOptions) {
    const single = servers.length === 1;
    const idle = single ? {} : { maxIdle: 1, idleTimeout: IDLE_MS };
    this.all = servers.map(({ name, ...server }) => {
      const pool = pinnedMysql.createPool({ ...options, ...idle, ...server } as PoolOptions, {
        writable: !single,
      });
      return new MysqlHost(name, pool, single);
    });
  }

  /** With a callback, as mysql2's. */
  readonly getConnection = callbackify(() => this.connect());
  readonly end = callbackify(() => this.close());

  private async close(): Promise<void> {
    const ends = this.all.map(({ pool }) => promisify(pool.end.bind(pool))());
    await Promise.allSettled(ends);
  }

  /** @throws what the server said that said something, else what happened at the last host. */
  private async connect(): Promise<PoolConnection> {
    let failure: unknown;
    for (const host of this.inOrder()) {
      try {
        return await host.connect();
      } catch (error) {
        if (!codeOf(failure).startsWith('ER_')) failure = error;
      }
    }
    throw failure;
  }

  /** Those that are well first, in the order of the URL; the others only where all of them fail. */
  private inOrder(): MysqlHost[] {
    for (const host of this.all) host.tryAgainIfDue();
    return this.all.toSorted((a, b) => Number(a.isAvoided) - Number(b.isAvoided));
  }
}

/** A server with the connections to it. */
class MysqlHost {
  /** Until when, by `performance.now()`; undefined while it is used. */
  private avoidedUntil: number | undefined;
  private readonly waiting = new Set<(error: Error) => void>();
  private readonly logger = new Logger('Database');

  /** @param single whether there is no other, so that it is never passed over. */
  constructor(
    readonly name: string,
    readonly pool: Pool,
    private readonly single: boolean,
  ) {}

  get isAvoided(): boolean {
    return this.avoidedUntil !== undefined;
  }

  /**
   * A connection that can be used.
   * @throws also when the host is given up meanwhile.
   */
  async connect(): Promise<PoolConnection> {
    const connection = await this.take();
    this.note(connection);
    return connection;
  }

  private take(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      const leave = (error: Error): void => {
        this.waiting.delete(leave);
        reject(error);
      };
      this.waiting.add(leave);
      this.pool.getConnection((error, connection) => {
        const late = !this.waiting.delete(leave);
        if (late) return error ? undefined : connection.release();
        if (!error) return resolve(connection);
        reject(Object.assign(error, { at: this.name }));
        this.avoid(error);
      });
    });
  }

  avoid(error: Error): void {
    if (this.single) return;
    if (!this.isAvoided) {
      const { name: host } = this;
      const problem = { host, code: codeOf(error), seconds: AVOID_MS / 1000 };
      this.logger.warn('A host of the database failed; the others are used', problem);
    }
    this.avoidedUntil = performance.now() + AVOID_MS;
    for (const leave of this.waiting) leave(error);
  }

  /** One connection shows whether the host is well; until then nobody waits for it. */
  tryAgainIfDue(): void {
    if (this.avoidedUntil === undefined || performance.now() < this.avoidedUntil) return;
    this.avoidedUntil = Infinity;
    // A failure avoids it for longer.
    void this.connectNewly().catch(() => undefined);
  }

  private async connectNewly(): Promise<void> {
    for (;;) {
      const connection = await this.take();
      if (this.note(connection)) return connection.release();
      connection.destroy();
    }
  }

  /** Whether the connection is new: that shows that the host is well, an idle one shows nothing. */
  private note(connection: PoolConnection): boolean {
    if (hosts.has(connection)) return false;
    hosts.set(connection, this);
    // One that breaks while it is idle ends no process.
    connection.on('error', () => undefined);
    if (this.isAvoided) {
      this.avoidedUntil = undefined;
      this.logger.log('A host of the database is used again', { host: this.name });
    }
    return true;
  }
}
