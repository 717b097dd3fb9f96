import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { within } from '../common/time-limit.js';
import { DatabaseUnavailableError, isLost, isServersFault } from './database-error.js';
import { avoidHostOf } from './mysql-hosts.js';

/**
 * For units of work a connection waits for a lock less long than anybody waits for the work. Else
 * statements that were given up would pile up in the server, and take effect late. And a host that
 * loses its power or network in the middle of one would keep its locks for hours: what WeChat pushes
 * again, to another host, would wait in vain. MariaDB ends a transaction of which it hears nothing for
 * longer than any leaves between two statements. MySQL knows such a limit for sessions alone: those
 * that serve nobody end as well, so theirs is longer.
 */
const WAITS =
  'SET SESSION innodb_lock_wait_timeout = 3, lock_wait_timeout = 3' +
  ' /*M!100300 , idle_transaction_timeout = 5 */ /*!80000 , wait_timeout = 30 */';

/** Times that work is begun again, on another connection, after it lost one. */
const LOST_RETRIES = 3;

/**
 * Connections of the pool, one for each unit of work, for a limited time. A peer that died without
 * a word differs from a slow one by nothing but time: at the limit the connection is cut, and
 * with it go those that were idle meanwhile, because what killed one has often killed all.
 *
 * ```
 *   run ──▶ wait for a connection ──▶ work ──▶ back to the pool
 *                  │                   │
 *                  │ limit             │ limit, or the connection broke
 *                  ▼                   ▼
 *           back when it comes    cut; its place in the pool is free
 * ```
 */
export class MysqlConnections {
  /** The era in which each connection has last answered. One that is missing is new. */
  private readonly eras = new WeakMap<Connection, number>();
  /** Ends when a connection is cut for its silence. */
  private era = 0;

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` on one connection; once more on another one if that was lost, which may lead to
   * another host.
   * @param limitMs for all of it, the wait for the connection included, in milliseconds.
   * @param mayRepeat whether the work has certainly done nothing, although it failed with the error.
   * @throws {DatabaseUnavailableError} at the limit, and when no connection can be had.
   */
  run<T>(
    work: (manager: EntityManager) => Promise<T>,
    limitMs: number,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> {
    const unit: Unit = { givenUp: false };
    return within(limitMs, this.runUnit(unit, work, mayRepeat), () => {
      const error = silence(limitMs);
      unit.givenUp = true;
      this.breakOff(unit, error);
      throw new DatabaseUnavailableError(error);
    });
  }

  private async runUnit<T>(
    unit: Unit,
    work: (manager: EntityManager) => Promise<T>,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> {
    for (let retry = 0; ; retry += 1) {
      const { runner, isNew } = await this.acquire(unit);
      try {
        return await this.runOnce(unit, runner, isNew, work);
      } catch (error) {
        const again = isLost(error) && isServersFault(error) && !unit.givenUp && mayRepeat(error);
        if (!again || retry === LOST_RETRIES) throw error;
      }
    }
  }

  private async runOnce<T>(
    unit: Unit,
    runner: QueryRunner,
    isNew: boolean,
    work: (manager: EntityManager) => Promise<T>,
  ): Promise<T> {
    try {
      if (isNew) await runner.query(WAITS);
      return await work(runner.manager);
    } catch (error) {
      // Not back to the pool, either, with one that is bound to a server that takes no writes.
      if (isLost(error)) this.breakOff(unit, error as Error);
      throw error;
    } finally {
      if (unit.connection) this.eras.set(unit.connection, this.era);
      unit.connection = undefined;
      await runner.release();
    }
  }

  private async acquire(unit: Unit): Promise<{ runner: QueryRunner; isNew: boolean }> {
    for (;;) {
      const runner = this.dataSource.createQueryRunner();
      const connection = await connect(runner);
      const era = this.eras.get(connection);
      if (unit.givenUp) {
        await runner.release();
        throw new DatabaseUnavailableError(undefined);
      }
      if (era === undefined || era === this.era) {
        unit.connection = connection;
        return { runner, isNew: era === undefined };
      }
      cut(connection);
    }
  }

  private breakOff(unit: Unit, error: Error): void {
    if (!unit.connection) return;
    this.era += 1;
    if (isServersFault(error)) avoidHostOf(unit.connection, error);
    cut(unit.connection, error);
    unit.connection = undefined;
  }
}

/** A call of {@link MysqlConnections.run}. */
interface Unit {
  /** Nobody waits for it. */
  givenUp: boolean;
  /** While it has one. */
  connection?: Connection | undefined;
}

/** What is used of mysql2's pooled connection; its types do not name the stream. */
interface Connection {
  stream: { destroy(error?: Error): void };
  destroy(): void;
}

async function connect(runner: QueryRunner): Promise<Connection> {
  try {
    return (await runner.connect()) as Connection;
  } catch (error) {
    throw new DatabaseUnavailableError(error);
  }
}

/** Ends a connection whose server may be gone; a statement under way fails. */
function cut(connection: Connection, error?: Error): void {
  // Takes it out of the pool, but then waits for the server to close its side.
  connection.destroy();
  connection.stream.destroy(error);
}

function silence(limitMs: number): Error {
  const message = `The database has not answered within ${limitMs} ms`;
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
