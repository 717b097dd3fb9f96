import { createRequire } from 'node:module';
import { callbackify } from 'node:util';
import type { Pool, PoolConnection, PoolOptions, QueryError, TypedParameter } from 'mysql2';

let loaded: typeof import('mysql2') | undefined;

/** Loaded when it is used first: a hub on SQLite starts sooner without it. */
function mysql(): typeof import('mysql2') {
  loaded ??= createRequire(import.meta.url)('mysql2') as typeof import('mysql2');
  return loaded;
}

/** Longest that a server may take to accept the settings of a session, in milliseconds. */
const PIN_LIMIT_MS = 3000;
/**
 * What each session gets before its first use, whatever the server's defaults or its `init_connect`
 * say: how texts are quoted and read, when a statement is committed, and what it may see and touch.
 *
 * - `sql_mode`: strict, and without modes that give quotes or backslashes another meaning.
 * - `REPEATABLE READ`: MySQL's own default, under which all of the hub's locks have been tested;
 *   READ COMMITTED would be refused by a server whose binary log is in statements.
 * - `completion_type`, `sql_select_limit`, `sql_safe_updates` and the like: each of them changes what
 *   a COMMIT, a SELECT or an UPDATE does, without an error.
 * - Lock waits: as long as migrations may wait; {@link MysqlConnections} has shorter ones for units
 *   of work.
 */
const SETTINGS = [
  'SET NAMES utf8mb4 COLLATE utf8mb4_bin',
  'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE',
  `SET SESSION ${[
    "sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    'autocommit = 1',
    "time_zone = '+00:00'",
    "completion_type = 'NO_CHAIN'",
    'sql_auto_is_null = 0',
    'sql_safe_updates = 0',
    'sql_select_limit = 18446744073709551615',
    'max_join_size = 18446744073709551615',
    'sql_big_selects = 1',
    'max_sort_length = 1024',
    'unique_checks = 1',
    'foreign_key_checks = 1',
    "default_storage_engine = 'InnoDB'",
    'innodb_lock_wait_timeout = 60',
    'lock_wait_timeout = 60',
  ].join(', ')}`,
];
/**
 * Statements that a connection keeps prepared. The server has room for 16 382 over all connections
 * of all hubs, and each connection uses some 40 again and again.
 */
const MAX_STATEMENTS = 50;
/** What a server says about itself; those of Galera have `wsrep_on`, others may not know it. */
const SERVER =
  "SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'read_only', 'innodb_read_only')";
const GALERA_READY = "SHOW STATUS LIKE 'wsrep_ready'";
/**
 * Node of Galera: reads see what any other node has committed before. The hub's own writes are
 * safe without it, but what one host has written, another is asked for a moment later.
 */
const GALERA_READS = 'SET SESSION wsrep_sync_wait = 1';
/** The server can't prepare this statement, or has no room for one more. */
const NOT_PREPARED = new Set(['ER_UNSUPPORTED_PS', 'ER_MAX_PREPARED_STMT_COUNT_REACHED']);

/**
 * `mysql2` as TypeORM uses it, with sessions that the hub determines and values that are never part
 * of a statement's text: they travel beside it, as bound parameters of a prepared statement.
 */
export const pinnedMysql = {
  /** @param wants `writable` refuses servers that take no writes, as another may. */
  createPool(options: PoolOptions, wants: { writable: boolean }): Pool {
    const pool = mysql().createPool({ ...options, maxPreparedStatements: MAX_STATEMENTS });
    const done = new WeakSet<PoolConnection>();
    const getConnection = pool.getConnection.bind(pool);
    pool.getConnection = (callback) =>
      getConnection((error, connection) => {
        if (error || done.has(connection)) return callback(error, connection);
        pinned(connection, wants.writable, (failure) => {
          if (failure) discard(connection, failure);
          else {
            done.add(connection);
            bindValues(connection);
          }
          callback(failure as QueryError | null, connection);
        });
      });
    return pool;
  },
};

type Row = { Variable_name: string; Value: string };

const pinned = callbackify(pin);

async function pin(connection: PoolConnection, writable: boolean): Promise<void> {
  for (const sql of SETTINGS) await ask(connection, sql);
  const { wsrep_on: galera, ...readOnly } = valuesOf(await ask(connection, SERVER));
  if (writable && Object.values(readOnly).includes('ON')) {
    throw refusal('ER_READ_ONLY_MODE', 'The server takes no writes');
  }
  if (galera !== 'ON') return;
  if (valuesOf(await ask(connection, GALERA_READY)).wsrep_ready === 'OFF') {
    throw refusal('ER_UNKNOWN_COM_ERROR', 'The node is not part of its cluster');
  }
  await ask(connection, GALERA_READS);
}

function ask(connection: PoolConnection, sql: string): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    connection.query({ sql, timeout: PIN_LIMIT_MS }, (error, rows) =>
      error ? reject(error) : resolve(rows as unknown as Row[]),
    );
  });
}

function valuesOf(rows: Row[]): Record<string, string | undefined> {
  return Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** A session that is not as it must be serves nobody. */
function discard(connection: PoolConnection, error: Error): void {
  connection.destroy();
  const { stream } = connection as unknown as { stream: { destroy(error?: Error): void } };
  stream.destroy(error);
}

type Query = (sql: string, values: unknown, callback?: Callback) => unknown;
type Callback = (error: QueryError | null, ...results: unknown[]) => void;

/** Lets `query` with values be a prepared statement. One without values has nothing to bind. */
function bindValues(connection: PoolConnection): void {
  const asText = connection.query.bind(connection) as unknown as Query;
  const execute = connection.execute.bind(connection) as unknown as Query;
  // Once for all values: it is a getter that loads its module each time.
  const { TypedParameter: typed } = mysql();
  const query: Query = (sql, values, callback) => {
    if (!Array.isArray(values) || values.length === 0 || !callback) {
      return asText(sql, values, callback);
    }
    const bound = values.map((value) => toParameter(value, typed));
    return execute(sql, bound, (error, ...results) => {
      // Escaping on this side is safe as well: the session's quoting and charset are pinned.
      if (error && NOT_PREPARED.has(error.code)) asText(sql, values, callback);
      else callback(error, ...results);
    });
  };
  Object.assign(connection, { query });
}

/** Whole numbers go as such: as the floating point numbers that they are here, no LIMIT takes them. */
function toParameter(value: unknown, typed: typeof TypedParameter): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) {
    return typed.LONGLONG(value as bigint | number);
  }
  if (Array.isArray(value) || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new TypeError('A list or an endless number is no value of a statement');
  }
  return value;
}
