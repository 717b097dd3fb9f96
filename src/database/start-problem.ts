import type { DataSourceOptions } from 'typeorm';
import { ConfigError } from '../config/app-config.js';
import { codeOf } from './database-error.js';
import { sqliteStartProblem, type StartProblem } from './sqlite-file.js';

type MysqlOptions = Extract<DataSourceOptions, { type: 'mysql' | 'mariadb' }>;

/** Longest that the way by TLS is tried, in milliseconds. */
const PROBE_TIMEOUT_MS = 3000;
const UNTRUSTED = 'the certificate of the server at {at} is refused';
const TLS_HINT = 'See tls-ca, tls-server-name and the clock of this machine';

/** What a code says; `{at}`, `{user}` and `{database}` are put in. */
const LASTING: Record<string, string> = {
  ER_ACCESS_DENIED_ERROR:
    'the server at {at} denies access to the user "{user}": user or password is wrong, or the ' +
    'account wants TLS (?tls=true) or a client certificate (tls-cert, tls-key)',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    'the server at {at} denies access to the user "{user}" without a password',
  ER_DBACCESS_DENIED_ERROR: 'the user "{user}" has no rights in the database "{database}" at {at}',
  ER_TABLEACCESS_DENIED_ERROR:
    'the user "{user}" may not change tables in the database "{database}" at {at}',
  ER_SPECIFIC_ACCESS_DENIED_ERROR: 'the user "{user}" has too few rights at {at}',
  ER_BAD_DB_ERROR: 'the server at {at} has no database "{database}"; make it first',
  ER_SECURE_TRANSPORT_REQUIRED: 'the server at {at} takes TLS only; add ?tls=true',
  ER_HOST_NOT_PRIVILEGED: 'the server at {at} takes no connections from this machine',
  ER_HOST_IS_BLOCKED:
    'the server at {at} blocks this machine after too many errors; run FLUSH HOSTS there',
  ER_ACCOUNT_HAS_BEEN_LOCKED: 'the account of the user "{user}" at {at} is locked',
  ER_MUST_CHANGE_PASSWORD_LOGIN: 'the password of the user "{user}" at {at} has expired',
  ER_MUST_CHANGE_PASSWORD: 'the password of the user "{user}" at {at} has expired',
  ER_NOT_SUPPORTED_AUTH_MODE: 'the account of the user "{user}" at {at} uses an old password form',
  AUTH_SWITCH_PLUGIN_ERROR:
    'the account of the user "{user}" at {at} wants a way to log in that the hub does not know',
  HANDSHAKE_NO_SSL_SUPPORT: 'the server at {at} has no TLS, and DATABASE_URL wants it',
};
const PASSING: Record<string, string> = {
  ENOTFOUND: 'there is no host of the name in {at}',
  EAI_AGAIN: 'the name in {at} cannot be looked up',
  ECONNREFUSED: 'nothing listens at {at}',
  ETIMEDOUT: 'nothing answers at {at}',
  EHOSTUNREACH: 'there is no way to {at}',
  ENETUNREACH: 'there is no way to {at}',
  HANDSHAKE_SSL_ERROR: 'the server at {at} ends the connection in the TLS handshake',
  ECONNRESET: 'the server at {at} ends the connection',
  PROTOCOL_CONNECTION_LOST: 'the server at {at} ends the connection',
  ER_CON_COUNT_ERROR: 'the server at {at} has too many connections',
};
/** A handshake that was cut is not one that failed. */
const CUT = /disconnected before|socket hang up|ECONNRESET|EPIPE|ETIMEDOUT/;

/** What of an error of connecting or migrating a person can change; undefined for all others. */
export function startProblem(error: unknown, options: DataSourceOptions): StartProblem | undefined {
  if (options.type === 'better-sqlite3') return sqliteStartProblem(error, options.database);
  return options.type === 'mysql' ? mysqlStartProblem(error, options) : undefined;
}

function mysqlStartProblem(error: unknown, all: MysqlOptions): StartProblem | undefined {
  const { at = `${all.host}:${all.port}` } = (error ?? {}) as { at?: string };
  const options = { ...all, at };
  const message = error instanceof Error ? error.message : '';
  const code = codeOf(error);
  if (code === 'HANDSHAKE_SSL_ERROR' && !CUT.test(message)) {
    return { what: fill(`${UNTRUSTED}: ${oneLine(message)}. ${TLS_HINT}`, options), lasting: true };
  }
  if (LASTING[code]) return { what: fill(LASTING[code], options), lasting: true };
  if (PASSING[code]) return { what: fill(PASSING[code], options), lasting: false };
  return undefined;
}

/** @param options the server as its error names it, where there are several. */
function fill(
  text: string,
  { host, port, at, username, database }: MysqlOptions & { at?: string },
) {
  return text
    .replace('{at}', () => at ?? `${host}:${port}`)
    .replace('{user}', () => String(username))
    .replace('{database}', () => String(database));
}

/**
 * What ends the start: one line where a person has to change something, else the error itself.
 * A server that takes TLS only may say "access denied" (MariaDB, and accounts that want TLS): whether
 * it is that is tried, without verification, like the plaintext that has just been tried.
 */
export async function startError(error: unknown, options: DataSourceOptions): Promise<unknown> {
  const problem = startProblem(error, options);
  if (!problem) return error;
  const denied = codeOf(error) === 'ER_ACCESS_DENIED_ERROR';
  if (denied && options.type === 'mysql' && !options.ssl && (await isTakenByTls(options))) {
    return toConfigError(fill(LASTING.ER_SECURE_TRANSPORT_REQUIRED ?? '', options));
  }
  return toConfigError(problem.what);
}

/** The start cannot go on for this reason. */
export function toConfigError(what: string): ConfigError {
  return new ConfigError([`  DATABASE_URL: ${what}`]);
}

async function isTakenByTls(options: MysqlOptions): Promise<boolean> {
  const {
    host,
    port,
    username: user,
    password,
    database,
  } = options as Required<Pick<MysqlOptions, 'host' | 'port' | 'username' | 'database'>> & {
    password: string;
  };
  // Only now: a hub on SQLite need not load it.
  const { createConnection } = await import('mysql2/promise');
  try {
    const ssl = { rejectUnauthorized: false };
    const connectTimeout = PROBE_TIMEOUT_MS;
    await (
      await createConnection({ host, port, user, password, database, ssl, connectTimeout })
    ).end();
    return true;
  } catch {
    return false;
  }
}

/** OpenSSL's and Node's words, which may go over several lines. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 200);
}
