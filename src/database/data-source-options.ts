import Libsql from 'libsql';
import type { DataSourceOptions } from 'typeorm';
import type { AppConfig } from '../config/app-config.js';
import { migrations } from './migrations/index.js';
import { KEEP_ALIVE_MS, mysqlAddress } from './mysql-address.js';
import { mysqlOfHosts } from './mysql-hosts.js';
import { untilFreeAtStart } from './sqlite-connection.js';
import { useOwnTransactions } from './sqlite-transactions.js';

/** Connections that one hub opens to MySQL. */
const MYSQL_POOL_SIZE = 20;
/** Milliseconds to wait for a MySQL connection. */
const CONNECT_TIMEOUT_MS = 3000;
/** Waiters for a MySQL connection; with a dead server more would only be memory. */
const MYSQL_QUEUE_LIMIT = 10_000;

/** Options of TypeORM for the configured database; entities are added by the modules. */
export function dataSourceOptions(config: Pick<AppConfig, 'database'>): DataSourceOptions {
  // TypeORM's own lines are not JSON: they go to the "debug" package, which is silent unless asked.
  const common = { migrations, synchronize: false, logging: false, logger: 'debug' } as const;
  if (config.database.type === 'mysql') {
    const { servers, ...address } = mysqlAddress(config.database.url.reveal());
    return {
      ...common,
      type: 'mysql',
      driver: mysqlOfHosts(servers),
      ...address,
      charset: 'utf8mb4',
      timezone: 'Z',
      supportBigNumbers: true,
      bigNumberStrings: false,
      poolSize: MYSQL_POOL_SIZE,
      // A stack of every query's call, which no error shows behind TypeORM's own.
      trace: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      extra: {
        enableKeepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
        queueLimit: MYSQL_QUEUE_LIMIT,
      },
    };
  }
  return {
    ...common,
    type: 'better-sqlite3',
    // libsql: the same interface with the binary inside the registry package, so nothing is compiled.
    driver: Libsql,
    database: config.database.path,
    // The driver would wait for a lock on the event loop: waiting is for `SqliteConnection`.
    timeout: 0,
    prepareDatabase: async (database: Libsql.Database) => {
      useOwnTransactions(database);
      await untilFreeAtStart(async () => database.exec('PRAGMA journal_mode = WAL'));
      // An answered push must survive a power cut, not only a crash of the process.
      database.pragma('synchronous = FULL');
      // Pages of the log, four times the usual: under load fewer pages are written twice.
      database.pragma('wal_autocheckpoint = 4000');
    },
  };
}
