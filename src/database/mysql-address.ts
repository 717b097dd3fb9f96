import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { fileProblem } from '../common/file-problem.js';
import { ConfigError } from '../config/app-config.js';
import { parseMysqlUrl, type MysqlHost, type MysqlTls } from '../config/mysql-url.js';

/** An idle MySQL connection is probed this often, in milliseconds: dead ones are found unused. */
export const KEEP_ALIVE_MS = 10_000;

/** Options of TypeORM that say where the servers are and how they are reached. */
export interface MysqlAddress {
  /** Those of the first server, for messages. */
  host: string;
  port: number;
  username: string;
  password: string;
  database: string;
  ssl?: MysqlSsl;
  /** In the order in which they are tried. */
  servers: [MysqlServerOptions, ...MysqlServerOptions[]];
}

/** Options of mysql2 that say where one server is. */
export interface MysqlServerOptions {
  /** Host and port, for messages. */
  name: string;
  host: string;
  port: number;
  ssl?: MysqlSsl;
  stream?: () => Socket;
}

/** mysql2's `ssl`; its types do not know all of it. */
interface MysqlSsl extends SecureContextOptions {
  rejectUnauthorized: boolean;
  verifyIdentity: boolean;
}

/**
 * Where the servers of a `mysql://` URL are, with the files that the URL names.
 * @throws {ConfigError} when one of them cannot be read or used.
 */
export function mysqlAddress(url: string): MysqlAddress {
  const { hosts, user, password, database, tls } = parseMysqlUrl(url);
  const files = tls && tlsFiles(tls);
  const optionsOf = ({ host, port }: MysqlHost): MysqlServerOptions => ({
    name: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    host,
    port,
    ...(tls && files ? tlsOptions({ host, port }, tls, files) : {}),
  });
  const [first, ...others] = hosts;
  const servers: MysqlAddress['servers'] = [optionsOf(first), ...others.map(optionsOf)];
  const { ssl } = servers[0];
  return { ...first, username: user, password, database, servers, ...(ssl ? { ssl } : {}) };
}

type TlsFiles = Record<'ca' | 'cert' | 'key', Buffer | undefined>;

function tlsFiles(tls: MysqlTls): TlsFiles {
  const files = {
    ca: pem('tls-ca', tls.ca),
    cert: pem('tls-cert', tls.cert),
    key: pem('tls-key', tls.key),
  };
  refuseUnusable(files);
  return files;
}

function tlsOptions(
  { host, port }: MysqlHost,
  tls: MysqlTls,
  files: TlsFiles,
): Pick<MysqlServerOptions, 'host' | 'ssl' | 'stream'> {
  const name = tls.serverName ?? host;
  return {
    // mysql2 knows one host, by which it calls the server in TLS; where that is, the stream knows.
    host: name,
    ssl: {
      ...files,
      rejectUnauthorized: tls.verify !== 'nothing',
      // Off by default in mysql2: any certificate of a trusted authority would do.
      verifyIdentity: tls.verify === 'name',
    },
    stream: () => namedSocket(host, port, name),
  };
}

/**
 * A connection whose peer Node verifies under a name. mysql2 gives Node no name where it is an
 * address, and Node then takes that of the socket, which it sets for names only.
 */
function namedSocket(host: string, port: number, name: string): Socket {
  const socket = connect(port, host).setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
  return Object.assign(socket, { _host: name });
}

function pem(option: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError([
      `  DATABASE_URL: the file of ${option}, ${fileProblem(path, 'read', error)}`,
    ]);
  }
}

/** @throws {ConfigError} now, where else every connection would fail with a word of OpenSSL's. */
function refuseUnusable({ ca, cert, key }: TlsFiles): void {
  check('tls-ca', 'a certificate', () => ca && new X509Certificate(ca));
  check('tls-cert', 'a certificate', () => cert && new X509Certificate(cert));
  check('tls-key', 'the key of tls-cert, without a passphrase,', () =>
    createSecureContext({ cert, key }),
  );
}

function check(option: string, wanted: string, use: () => unknown): void {
  try {
    use();
  } catch {
    throw new ConfigError([`  DATABASE_URL: the file of ${option} is not ${wanted} in PEM form`]);
  }
}
