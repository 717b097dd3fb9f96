import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { startProblem } from './start-problem.js';

const MYSQL = {
  type: 'mysql',
  host: 'db.example',
  port: 3306,
  username: 'hub',
  password: 'fake-password',
  database: 'hub_db',
} as DataSourceOptions;
const SQLITE = { type: 'better-sqlite3', database: '/data/hub.sqlite' } as DataSourceOptions;

/** An error as the drivers throw it. */
function failure(code: string | undefined, message = 'fake-password is not shown'): Error {
  return Object.assign(new Error(message), { code });
}

describe('what ends a start', () => {
  it.each([
    ['ER_ACCESS_DENIED_ERROR', 'denies access to the user "hub"'],
    ['ER_DBACCESS_DENIED_ERROR', 'no rights in the database "hub_db" at db.example:3306'],
    ['ER_TABLEACCESS_DENIED_ERROR', 'may not change tables'],
    ['ER_BAD_DB_ERROR', 'has no database "hub_db"'],
    ['ER_SECURE_TRANSPORT_REQUIRED', 'takes TLS only; add ?tls=true'],
    ['HANDSHAKE_NO_SSL_SUPPORT', 'has no TLS'],
    ['ER_HOST_NOT_PRIVILEGED', 'takes no connections from this machine'],
    ['ER_HOST_IS_BLOCKED', 'blocks this machine'],
    ['ER_ACCOUNT_HAS_BEEN_LOCKED', 'is locked'],
  ])('%s is said as what it is, and lasts', (code, what) => {
    const problem = startProblem(failure(code), MYSQL);
    expect(problem).toEqual({ what: expect.stringContaining(what), lasting: true });
    expect(problem?.what).not.toContain('fake-password');
    expect(
      startProblem(Object.assign(failure(undefined), { driverError: { code } }), MYSQL),
    ).toEqual(problem);
  });

  it.each([
    ['ENOTFOUND', 'there is no host of the name in db.example:3306'],
    ['EAI_AGAIN', 'cannot be looked up'],
    ['ECONNREFUSED', 'nothing listens at db.example:3306'],
    ['ETIMEDOUT', 'nothing answers'],
    ['PROTOCOL_CONNECTION_LOST', 'ends the connection'],
    ['ER_CON_COUNT_ERROR', 'too many connections'],
  ])('%s may pass', (code, what) => {
    expect(startProblem(failure(code), MYSQL)).toEqual({
      what: expect.stringContaining(what),
      lasting: false,
    });
  });

  it.each([
    ['self-signed certificate in certificate chain', true],
    ['certificate has expired', true],
    ["Hostname/IP does not match certificate's altnames", true],
    ['Client network socket disconnected before secure TLS connection was established', false],
    ['read ECONNRESET', false],
  ])('a handshake that fails by "%s" lasts: %s', (message, lasting) => {
    const problem = startProblem(failure('HANDSHAKE_SSL_ERROR', message), MYSQL);
    expect(problem?.lasting).toBe(lasting);
    expect(problem?.what.includes(message)).toBe(lasting);
  });

  it.each([
    ['SQLITE_NOTADB', 'it is no SQLite database'],
    ['SQLITE_CORRUPT_VTAB', 'it is damaged; restore a backup'],
    ['SQLITE_READONLY_DBMOVED', 'it can be read, but not written'],
    ['SQLITE_FULL', 'the disk is full'],
    ['SQLITE_IOERR_FSYNC', 'fails'],
  ])('%s is said of the file', (code, what) => {
    expect(startProblem(failure(code), SQLITE)?.what).toMatch(
      new RegExp(`^/data/hub.sqlite cannot be used: .*${what}.* \\(${code}\\)$`),
    );
  });

  it('a number of SQLite is said of the file, too', () => {
    const message = 'ConnectionFailed("Unable to open connection to local database /data: 14")';
    expect(startProblem(failure(undefined, message), SQLITE)?.what).toBe(
      "/data/hub.sqlite cannot be opened: SQLite's code is 14",
    );
  });

  it.each([failure('ER_PARSE_ERROR'), failure(undefined), undefined, 'text'])(
    '%s is a fault of the hub, and stays an error',
    (error) => {
      expect(startProblem(error, MYSQL)).toBeUndefined();
      expect(startProblem(error, SQLITE)).toBeUndefined();
    },
  );
});
