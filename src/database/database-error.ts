import { HubError } from '../common/hub-error.js';

/** MySQL chose it as a deadlock's victim; SQLite's writers wait for each other from the beginning. */
const CONFLICT_CODE = 'ER_LOCK_DEADLOCK';
const DUPLICATE_CODES = new Set([
  'ER_DUP_ENTRY',
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
]);
const UNAVAILABLE_CODES =
  /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|PROTOCOL_|POOL_|ER_CON_COUNT|ER_SERVER_SHUTDOWN|ER_ACCESS|ER_OPTION_PREVENTS|ER_LOCK_WAIT_TIMEOUT|SQLITE_(BUSY|FULL|IOERR|READONLY|CANTOPEN|LOCKED))/;

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
  return codeOf(error) === CONFLICT_CODE;
}

/** Whether an error means that the database can't be reached, rather than that it said no. */
export function isUnavailable(error: unknown): boolean {
  return UNAVAILABLE_CODES.test(codeOf(error));
}

/** The code that the driver gave an error; empty where there is none. */
export function codeOf(error: unknown): string {
  const { code, driverError } = (error ?? {}) as {
    code?: unknown;
    driverError?: { code?: unknown };
  };
  return String(driverError?.code ?? code ?? '');
}
