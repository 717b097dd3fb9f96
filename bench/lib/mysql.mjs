import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { freePort, start, untilReady } from './processes.mjs';
import { dataFolder } from './settings.mjs';

const DATABASE = 'hub_bench';

/** A throw-away server with the durability of its defaults; undefined where none is installed. */
export async function startMysql() {
  const binary = findBinary();
  if (!binary) return undefined;
  const folder = mkdtempSync(join(dataFolder(), 'mysql-'));
  const common = ['--no-defaults', `--datadir=${join(folder, 'data')}`, ...asRoot()];
  initialise(binary, common, folder);
  const port = await freePort();
  const own = ['socket', 'pid-file'].map((name) => `--${name}=${join(folder, name)}`);
  const args = [...common, '--bind-address=127.0.0.1', `--port=${port}`, ...own, '--skip-log-bin'];
  const server = start({ name: 'mysql-server', file: binary, args });
  const connect = (database = '') =>
    createConnection({ uri: `mysql://root@127.0.0.1:${port}/${database}` });
  const first = await untilReady(server, connect);
  await first.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
  await first.end();
  return {
    server,
    url: `mysql://root@127.0.0.1:${port}/${DATABASE}`,
    query: (sql, values) => queryOnce(() => connect(DATABASE), sql, values),
    durability: async () => {
      const settings = 'VERSION() AS version, @@innodb_flush_log_at_trx_commit AS flushAtCommit';
      return (await queryOnce(connect, `SELECT ${settings}`))[0];
    },
  };
}

function findBinary() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return ['mariadbd', 'mysqld']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

function asRoot() {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

function initialise(binary, common, cwd) {
  const quiet = { cwd, stdio: 'ignore' };
  if (!binary.endsWith('mariadbd')) {
    execFileSync(binary, [...common, '--initialize-insecure'], quiet);
    return;
  }
  const script = ['/usr/bin', '/usr/local/bin', join(binary, '../../bin')]
    .flatMap((bin) => [join(bin, 'mariadb-install-db'), join(bin, 'mysql_install_db')])
    .find((path) => existsSync(path));
  if (!script) throw new Error('mariadb-install-db was not found beside mariadbd');
  const options = ['--auth-root-authentication-method=normal', '--skip-test-db'];
  execFileSync(script, [...common, ...options], quiet);
}

async function queryOnce(connect, sql, values) {
  const connection = await connect();
  try {
    return (await connection.query(sql, values))[0];
  } finally {
    await connection.end();
  }
}
