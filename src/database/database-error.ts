import { HubError } from '../common/hub-error.js';

/**
 * MySQL chose it as a deadlock's victim, or Galera found at the commit that another node had
 * committed first; MariaDB 11 says the second where a row has changed since the snapshot. SQLite's
 * writers wait for each other from the beginning.
 */
const CONFLICT_CODES = new Set(['ER_LOCK_DEADLOCK', 'ER_CHECKREAD']);
const DUPLICATE_CODES = new Set([
  'ER_DUP_ENTRY',
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
]);
/** The connection, or the server behind it, is of no use: on SQLite the file is not. */
const LOST_CODES =
  /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|PROTOCOL_|POOL_|ER_(CON_COUNT|SERVER_SHUTDOWN|NORMAL_SHUTDOWN|ACCESS|HOST_IS_BLOCKED|TOO_MANY_USER_CONNECTIONS|OPTION_PREVENTS|READ_ONLY_MODE|INNODB_READ_ONLY|LOCK_WAIT_TIMEOUT|CONNECTION_KILLED|CLIENT_INTERACTION_TIMEOUT|UNKNOWN_COM_ERROR)|SQLITE_(BUSY|FULL|IOERR|READONLY|CANTOPEN|LOCKED|NOMEM|INTERRUPT|PROTOCOL))/;
/** The server answers, but has no room or no time for this work now. */
const REFUSED_CODES =
  /^ER_(LOCK_DEADLOCK|CHECKREAD|LOCK_TABLE_FULL|DISK_FULL|RECORD_FILE_FULL|GET_ERRNO|ERROR_ON_(READ|WRITE)|ERROR_DURING_COMMIT|TEMP_FILE_WRITE|OUTOFMEMORY|OUT_OF_|TOO_MANY_CONCURRENT_TRXS|USER_LIMIT_REACHED|QUERY_INTERRUPTED|QUERY_TIMEOUT|CANT_EXECUTE_IN_READ_ONLY)/;
/**
 * The server does not take the work at all, and has done nothing of it: it is read-only, or
 * (`ER_UNKNOWN_COM_ERROR`) a node of Galera that is not part of its cluster, or has ended a session of
 * which it had heard nothing.
 */
const NOT_TAKEN_CODES =
  /^ER_(UNKNOWN_COM_ERROR|OPTION_PREVENTS|READ_ONLY_MODE|INNODB_READ_ONLY|CANT_EXECUTE_IN_READ_ONLY|CLIENT_INTERACTION_TIMEOUT)/;
const LOCK_WAIT_CODE = 'ER_LOCK_WAIT_TIMEOUT';
/** `ER_CONNECTION_KILLED` and `ER_STATEMENT_TIMEOUT` of MariaDB: mysql2 has no names for them. */
const MARIADB_KILLED = 1927;
const MARIADB_STATEMENT_TIMEOUT = 1969;
const LOCKED_CODES = /^SQLITE_(BUSY|LOCKED|PROTOCOL)/;

/**
 * The database can't be reached, or did not answer in time (HTTP 503). What was to be written is
 * not in it, unless the connection died while the last word was on its way.
 */
export class DatabaseUnavailableError extends HubError {
  constructor(cause: unknown) {
    super('database_unavailable', 'The database does not answer; try again', {
      status: 503,
      level: 'warn',
      cause,
    });
  }
}

/** Whether a write failed because a unique key is taken. */
export function isDuplicateKey(error: unknown): boolean {
  return DUPLICATE_CODES.has(codeOf(error));
}

/** Whether a transaction lost against another and may be begun again. */
export function isConflict(error: unknown): boolean {
  return CONFLICT_CODES.has(codeOf(error));
}

/** Whether an error means that the database can't be used, rather than that it said no. */
export function isUnavailable(error: unknown): boolean {
  return (
    isLost(error) ||
    REFUSED_CODES.test(codeOf(error)) ||
    driverErrorOf(error).errno === MARIADB_STATEMENT_TIMEOUT
  );
}

/** Whether the connection that met an error should not be used again. */
export function isLost(error: unknown): boolean {
  return LOST_CODES.test(codeOf(error)) || driverErrorOf(error).errno === MARIADB_KILLED;
}

/** Whether the server has refused a statement without running it, as another might not. */
export function isNotTaken(error: unknown): boolean {
  return NOT_TAKEN_CODES.test(codeOf(error));
}

/** Whether the server behind the connection is to blame for an error that lost the connection. */
export function isServersFault(error: unknown): boolean {
  return codeOf(error) !== LOCK_WAIT_CODE;
}

/** Whether another program has SQLite's file locked at this moment. */
export function isLocked(error: unknown): boolean {
  return LOCKED_CODES.test(codeOf(error));
}

/** The driver's code for what went wrong, such as `SQLITE_FULL`; empty where it has none. */
export function codeOf(error: unknown): string {
  const cause = error instanceof DatabaseUnavailableError ? error.cause : error;
  return String(driverErrorOf(cause).code ?? '');
}

function driverErrorOf(error: unknown): { code?: unknown; errno?: unknown } {
  const given = (error ?? {}) as { code?: unknown; errno?: unknown; driverError?: object };
  return given.driverError ?? given;
}
