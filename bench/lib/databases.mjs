import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Libsql from 'libsql';
import { createConnection, createPool } from 'mysql2/promise';
import { freePort, start, untilReady } from './processes.mjs';
import { dataFolder } from './settings.mjs';

const POLL_MS = 50;

/** A throw-away server with the durability of its defaults. */
export async function startMysql() {
  const binary = findBinary();
  if (!binary) throw new Error('No mariadbd or mysqld on this machine');
  const folder = mkdtempSync(join(dataFolder(), 'mysql-'));
  const common = ['--no-defaults', `--datadir=${join(folder, 'data')}`, ...asRoot()];
  initialise(binary, common, folder);
  const port = await freePort();
  const own = ['socket', 'pid-file'].map((name) => `--${name}=${join(folder, name)}`);
  const args = [...common, '--bind-address=127.0.0.1', `--port=${port}`, ...own, '--skip-log-bin'];
  const server = start({ name: 'mysql-server', file: binary, args });
  const url = `mysql://root@127.0.0.1:${port}/`;
  await (await untilReady(server, () => createConnection({ uri: url }))).end();
  const query = async (sql) => {
    const connection = await createConnection({ uri: url });
    const [rows] = await connection.query(sql);
    await connection.end();
    return rows;
  };
  const flush = '@@innodb_flush_log_at_trx_commit AS flushAtCommit';
  const durability = async () => (await query(`SELECT VERSION() AS version, ${flush}`))[0];
  return { server, url, query, durability };
}

/** An empty database on the throw-away server, so that no part meets what another one left. */
export async function mysqlDatabase(mysql, name) {
  await mysql.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const url = mysql.url + name;
  const pool = createPool({ uri: url, connectionLimit: 20 });
  return {
    url,
    query: async (sql, values) => (await pool.query(sql, values))[0],
    drop: async () => {
      await pool.end();
      await mysql.query(`DROP DATABASE ${name}`);
    },
  };
}

/** The same of SQLite; to be looked into when the hub is gone. */
export function sqliteDatabase() {
  const path = join(dataFolder(), 'hub.sqlite');
  const remove = () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  };
  remove();
  const query = async (sql) => {
    const database = new Libsql(path);
    const rows = database.prepare(sql).all();
    database.close();
    return rows;
  };
  return { url: `sqlite:${path}`, query, drop: async () => remove() };
}

/** Resolves when no delivery waits, or at the limit, in milliseconds. */
export async function allDelivered(database, limitMs = Infinity) {
  const until = performance.now() + limitMs;
  const count = "SELECT COUNT(*) AS pending FROM delivery WHERE status = 'pending'";
  while (Number((await database.query(count))[0].pending) > 0 && performance.now() < until) {
    await delay(POLL_MS);
  }
}

/** Until `work` is done commits are not synced one by one: filling a table need not be durable. */
export async function withoutSync(mysql, work) {
  const { flushAtCommit } = await mysql.durability();
  await mysql.query('SET GLOBAL innodb_flush_log_at_trx_commit = 0');
  try {
    return await work();
  } finally {
    await mysql.query(`SET GLOBAL innodb_flush_log_at_trx_commit = ${Number(flushAtCommit)}`);
  }
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
