import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/app-config.js';
import { createMysql, mysqlOnly, type TestDatabase } from '../support/databases.js';
import type { DatabaseKind } from '../support/databases.js';
import { hubEnvironment } from '../support/fake-settings.js';
import { findMysqlBinary, startMysqlServer, type MysqlServer } from '../support/mysql-server.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { TestAuthority, type CertificateFiles } from '../support/test-certificates.js';
import { prime } from '../support/token-world.js';

const ROOT = join(import.meta.dirname, '../..');
const PASSWORD = 'fake/p@ss?word#';
/** Far below the 30 s for which a server that may still be starting is waited for. */
const AT_ONCE_MS = 8000;

/** Where there is a server to be started. */
const ownServer = (): DatabaseKind[] => (findMysqlBinary() ? mysqlOnly() : []);

describe.each(ownServer())('a server that takes TLS only: %s', (kind) => {
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let client: CertificateFiles;
  let server: MysqlServer;
  let database: TestDatabase;
  beforeAll(async () => {
    authority = new TestAuthority();
    stranger = new TestAuthority();
    client = authority.issue('client', 'DNS:hub.internal');
    const { cert, key } = authority.issue('server', 'DNS:db.internal,IP:127.0.0.1');
    server = await startMysqlServer(findMysqlBinary() ?? kind, [
      `--ssl-ca=${authority.ca}`,
      `--ssl-cert=${cert}`,
      `--ssl-key=${key}`,
    ]);
    database = await createMysql(server.url);
    const root = await createConnection({ uri: server.url });
    for (const [user, demand] of [
      ['hub', ''],
      ['strict', 'REQUIRE X509'],
    ]) {
      await root.query(`CREATE USER ?@'%' IDENTIFIED BY ? ${demand}`, [user, PASSWORD]);
      await root.query("GRANT ALL ON `hub\\_test\\_%`.* TO ?@'%'", [user]);
    }
    await root.query('SET GLOBAL require_secure_transport = ON');
    await root.end();
  });
  afterAll(async () => {
    await server.stop();
    authority.remove();
    stranger.remove();
  });

  /** The URL of the database with these parameters. */
  function urlOf(
    parameters: string,
    { user = 'hub', name = '', password = PASSWORD } = {},
  ): string {
    const url = new URL(database.url);
    url.username = user;
    url.password = encodeURIComponent(password);
    if (name) url.pathname = `/${name}`;
    return `${url.href}${parameters}`;
  }

  function start(url: string): Promise<TestApp> {
    return createTestApp({ database: { ...database, url } });
  }

  it('is reached with its CA: a ticket becomes a token', async () => {
    const test = await start(urlOf(`?tls-ca=${authority.ca}`));
    await prime(test);
    await test.close();
  });

  it.each([
    ['its name in place of its address', () => `&tls-server-name=db.internal`],
    [
      'any name where only its authority is to be right',
      () => '&sslmode=verify-ca&tls-server-name=x.example',
    ],
    ['the certificate of the hub', () => `&tls-cert=${client.cert}&tls-key=${client.key}`],
  ])('is reached by %s', async (_, more) => {
    const url = urlOf(`?tls-ca=${authority.ca}${more()}`, { user: 'strict' });
    const wanted = url.includes('tls-cert') ? url : url.replace('strict', 'hub');
    await (await start(wanted)).close();
  });

  it('is reached without verification only where that is said', async () => {
    await (await start(urlOf('?tls=true&tls-verify=false'))).close();
  });

  const ca = (): string => `?tls-ca=${authority.ca}`;
  it.each<[string, RegExp, () => string]>([
    ['no TLS', /takes TLS only; add \?tls=true/, () => urlOf('')],
    ['TLS switched off', /takes TLS only/, () => urlOf('?tls=false')],
    [
      'no TLS and a wrong password',
      /denies access to the user "hub"/,
      () => urlOf('', { password: 'fake-wrong' }),
    ],
    ['the usual authorities', /certificate of the server .* is refused/, () => urlOf('?tls=true')],
    [
      'another CA',
      /certificate of the server .* is refused/,
      () => urlOf(`?tls-ca=${stranger.ca}`),
    ],
    [
      'another CA, verify-ca',
      /is refused/,
      () => urlOf(`?sslmode=verify-ca&tls-ca=${stranger.ca}`),
    ],
    [
      'another name',
      /is refused: .*db\.example/,
      () => urlOf(`${ca()}&tls-server-name=db.example`),
    ],
    [
      'another address',
      /is refused: .*127\.0\.0\.2/,
      () => urlOf(`${ca()}&tls-server-name=127.0.0.2`),
    ],
    [
      'no client certificate',
      /denies access to the user "strict".*client certificate/,
      () => urlOf(ca(), { user: 'strict' }),
    ],
    [
      'a wrong password',
      /denies access to the user "hub"/,
      () => urlOf(ca(), { password: 'fake-wrong' }),
    ],
    [
      'an unknown database',
      /has no database "hub_test_none"/,
      () => urlOf(ca(), { name: 'hub_test_none' }),
    ],
    [
      'a CA that is not there',
      /the file of tls-ca, .*none\.pem cannot be read: it does not exist/,
      () => urlOf('?tls-ca=/none.pem'),
    ],
    ['a CA that is a folder', /the file of tls-ca, .* it is a folder/, () => urlOf('?tls-ca=/tmp')],
    [
      'a CA that is none',
      /the file of tls-ca is not a certificate in PEM form/,
      () => urlOf(`?tls-ca=${garbage()}`),
    ],
    [
      'a key of another certificate',
      /the file of tls-key is not the key of tls-cert/,
      () => urlOf(`?tls-cert=${client.cert}&tls-key=${authority.ca.replace('.pem', '.key')}`),
    ],
  ])('ends the start at once, with one line, for %s', async (_, message, url) => {
    const started = performance.now();
    const error = await start(url()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigError);
    const lines = (error as Error).message.split('\n').slice(1);
    expect(lines).toEqual([expect.stringMatching(message)]);
    expect(lines[0]).toMatch(/^ {2}DATABASE_URL: /);
    expect(lines[0]).not.toContain('fake');
    expect(performance.now() - started).toBeLessThan(AT_ONCE_MS);
  });

  function garbage(): string {
    const path = join(authority.ca, '..', 'garbage.pem');
    writeFileSync(path, '-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n');
    return path;
  }

  it.each([
    [
      'migration:run',
      ['node_modules/typeorm/cli.js', 'migration:run', '-d', 'dist/ormconfig.js'],
    ],
    ['secrets:rotate', ['dist/rotate-secrets.js']],
  ])('is what npm run %s reaches, and what it says is refused', async (_, args) => {
    const run = (url: string): Promise<{ stdout: string }> =>
      promisify(execFile)(process.execPath, args, {
        cwd: ROOT,
        env: { PATH: process.env.PATH, ...hubEnvironment({ DATABASE_URL: url }) },
      });
    await run(urlOf(ca()));
    const refused = run(urlOf(`?tls-ca=${stranger.ca}`));
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^Configuration is not usable:\n {2}DATABASE_URL: the certificate of the server .* is refused: .*\n$/,
      ),
    });
  });
});

describe.each(ownServer())('a server without TLS: %s', (kind) => {
  it('is refused where TLS is wanted', async () => {
    const server = await startMysqlServer(findMysqlBinary() ?? kind, ['--skip-ssl']);
    const database = await createMysql(server.url);
    try {
      const refused = createTestApp({ database: { ...database, url: `${database.url}?tls=true` } });
      await expect(refused).rejects.toThrow(
        /the server at .* has no TLS, and DATABASE_URL wants it/,
      );
    } finally {
      await server.stop();
    }
  });
});
