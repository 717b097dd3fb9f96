import type Libsql from 'libsql';

/** How TypeORM begins a transaction. */
const BEGIN = 'BEGIN TRANSACTION';

/**
 * Lets transactions take the right to write when they begin: all that the hub runs do write. One
 * that found the file locked by another process only later would leave its statement unfinished,
 * and SQLite commits nothing more before that very statement is run again.
 */
export function beginImmediate(database: Libsql.Database): void {
  const prepare = database.prepare.bind(database);
  const run = (): Libsql.RunResult => {
    // Unlike a prepared statement it leaves nothing behind when it fails.
    database.exec('BEGIN IMMEDIATE');
    return { changes: 0, lastInsertRowid: 0 };
  };
  const begin = { reader: false, run } as Libsql.Statement<unknown[]>;
  database.prepare = ((sql: string) => (sql === BEGIN ? begin : prepare(sql))) as typeof prepare;
}
