import type Libsql from 'libsql';
import AsynchronousLibsql from 'libsql/promise';

/** How TypeORM begins a transaction, and how it ends one. */
const BEGIN = 'BEGIN TRANSACTION';
const COMMIT = 'COMMIT';

/**
 * Begins and ends TypeORM's transactions as the hub needs it.
 *
 * They take the right to write when they begin: all that the hub runs do write. One that found the
 * file locked by another process only later would leave its statement unfinished, and SQLite commits
 * nothing more before that very statement is run again.
 *
 * They commit on a thread of the driver's, for that is where SQLite waits for the disk; the rest is
 * memory, and done sooner than a thread is woken. A read that comes meanwhile waits for it on the
 * event loop. A COMMIT that fails comes as the driver's own error, not as TypeORM's.
 */
export function useOwnTransactions(database: Libsql.Database): void {
  const prepare = database.prepare.bind(database);
  const begin = {
    reader: false,
    // Unlike a prepared statement it leaves nothing behind when it fails.
    run: (): Libsql.RunResult => {
      database.exec('BEGIN IMMEDIATE');
      return { changes: 0, lastInsertRowid: 0 };
    },
  };
  const commit = {
    // What a reader gives is TypeORM's answer, and a promise is awaited with it.
    reader: true,
    // Both interfaces of the driver have the same connection behind them.
    all: () => AsynchronousLibsql.prototype.exec.call(database, COMMIT) as Promise<void>,
  };
  const own = new Map<string, object>([
    [BEGIN, begin],
    [COMMIT, commit],
  ]);
  database.prepare = ((sql: string) => own.get(sql) ?? prepare(sql)) as typeof prepare;
}
