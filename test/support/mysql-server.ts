import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';

const START_LIMIT_MS = 60_000;
/** What all servers of a run write, kept after it. */
const SERVER_LOG = join('.test-output', 'mysql-server.log');

/** A MySQL-protocol server of the tests' own, on a temporary folder and a free port. */
export interface MysqlServer {
  /** URL without a database name. */
  url: string;
  /** Stops the server as a power cut would, keeps its data. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** The server binary of this machine, if it has one. */
export function findMysqlBinary(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return ['mariadbd', 'mysqld']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** Starts a server; resolves when it takes connections. */
export async function startMysqlServer(binary: string, own: string[] = []): Promise<MysqlServer> {
  const folder = mkdtempSync(join(tmpdir(), 'hub-mysql-'));
  const data = join(folder, 'data');
  // Native AIO takes slots that the kernel has few of: beside other servers a start would fail.
  // A server that starts removes the temporary tables that it finds in its tmpdir, whosever they are.
  const common = [
    '--no-defaults',
    `--datadir=${data}`,
    `--tmpdir=${folder}`,
    '--innodb-use-native-aio=0',
    ...asRoot(),
  ];
  mkdirSync('.test-output', { recursive: true });
  initialise(binary, common, folder);
  const port = await freePort();
  const args = [
    ...common,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    '--max-connections=500',
    '--skip-log-bin',
    // A killed process loses nothing by these; only a power cut would, and nobody tests that here.
    '--innodb-flush-log-at-trx-commit=2',
    '--innodb-doublewrite=0',
    ...own,
  ];
  const url = `mysql://root@127.0.0.1:${port}`;
  let ending = false;
  const start = async (): Promise<ChildProcess> => {
    ending = false;
    const started = await run(binary, args, url);
    started.once('exit', (code, signal) => {
      if (!ending)
        console.error(`${binary} ended by itself (${signal ?? code}); see ${SERVER_LOG}`);
    });
    return started;
  };
  let child = await start();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    ending = true;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  return {
    url,
    kill: () => end('SIGKILL'),
    restart: async () => {
      child = await start();
    },
    stop: async () => {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

function initialise(binary: string, common: string[], folder: string): void {
  if (binary.endsWith('mariadbd')) {
    const script = ['/usr/bin', '/usr/local/bin', join(binary, '../../bin')]
      .flatMap((bin) => [join(bin, 'mariadb-install-db'), join(bin, 'mysql_install_db')])
      .find((path) => existsSync(path));
    if (!script) throw new Error('mariadb-install-db was not found beside mariadbd');
    execute(
      script,
      [...common, '--auth-root-authentication-method=normal', '--skip-test-db'],
      folder,
    );
  } else {
    execute(binary, [...common, '--initialize-insecure'], folder);
  }
}

function execute(file: string, args: string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ended with ${status}:\n${stdout}\n${stderr}`);
}

async function run(binary: string, args: string[], url: string): Promise<ChildProcess> {
  const log = openSync(SERVER_LOG, 'a');
  const child = spawn(binary, args, { stdio: ['ignore', log, log] });
  closeSync(log);
  const until = Date.now() + START_LIMIT_MS;
  // The port opens when the server is ready; there is no event to await from outside.
  while (Date.now() < until && child.exitCode === null) {
    try {
      await (await createConnection({ uri: url })).end();
      return child;
    } catch {
      await delay(50);
    }
  }
  child.kill('SIGKILL');
  throw new Error(`${binary} did not start; see ${SERVER_LOG}`);
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
