import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { freePort } from '../support/mysql-server.js';

const SERVER = '/usr/sbin/mariadbd';
const HAPROXY = '/usr/sbin/haproxy';
const PROVIDERS = ['/usr/lib/galera/libgalera_smm.so', '/usr/lib/galera-4/libgalera_smm.so'];
const PACKAGES: Record<string, string[]> = {
  'mariadb-server': [SERVER],
  'galera-4': PROVIDERS,
  rsync: ['/usr/bin/rsync'],
};
/** A node that gets the whole of the data from another takes seconds. */
const SYNC_LIMIT_MS = 60_000;
const ASK_LIMIT_MS = 1000;
const LOG_FOLDER = '.test-output';

/** Which packages are missing, in words; '' where all are there. */
export function missingForGalera(): string {
  const missing = Object.entries(PACKAGES).filter(([, paths]) => !paths.some(existsSync));
  return missing.length > 0 ? `missing packages: ${missing.map(([name]) => name).join(', ')}` : '';
}

/** A node of the cluster, on this machine. */
export class GaleraNode {
  private child: ChildProcess | undefined;

  constructor(
    /** Port of MySQL's protocol. */
    readonly port: number,
    private readonly args: string[],
    private readonly log: string,
  ) {}

  /** Resolves when the node is in step with the others. */
  async start(own: string[] = []): Promise<void> {
    const log = openSync(this.log, 'a');
    this.child = spawn(SERVER, [...this.args, ...own], { stdio: ['ignore', log, log] });
    closeSync(log);
    const child = this.child;
    // Also where the run is interrupted.
    process.once('exit', () => child.kill('SIGKILL'));
    await this.synced();
  }

  /** Resolves when the node takes work; it may have been away. */
  async synced(): Promise<void> {
    const until = performance.now() + SYNC_LIMIT_MS;
    // The server says so to no one: it is asked.
    while (performance.now() < until) {
      if (typeof this.child?.exitCode === 'number') break;
      if ((await this.state()) === 'Synced') return;
      await delay(100);
    }
    throw new Error(`The node on port ${this.port} is not in step; see ${this.log}`);
  }

  /** As a crash ends it. */
  async kill(): Promise<void> {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  /** As a machine that hangs: its connections stay, and nothing answers. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  connect(database?: string): Promise<Connection> {
    const { port } = this;
    const connectTimeout = ASK_LIMIT_MS;
    return createConnection({ host: '127.0.0.1', port, user: 'root', database, connectTimeout });
  }

  private async state(): Promise<string | undefined> {
    try {
      // A node that joins takes connections on which it never answers.
      const connection = await this.connect();
      const names = "('wsrep_local_state_comment', 'wsrep_ready')";
      const sql = `SHOW STATUS WHERE Variable_name IN ${names}`;
      const [rows] = await connection
        .query<RowDataPacket[]>({ sql, timeout: ASK_LIMIT_MS })
        .finally(() => connection.destroy());
      const values = Object.fromEntries(rows.map((row) => [row.Variable_name, row.Value]));
      return values.wsrep_ready === 'ON' ? values.wsrep_local_state_comment : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Three nodes of MariaDB with Galera in a temporary folder, and HAProxy before them if there is one. */
export class GaleraCluster {
  private proxy: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    readonly nodes: GaleraNode[],
    /** Where HAProxy listens; undefined without it. */
    readonly proxyPort: number | undefined,
  ) {}

  static async start(): Promise<GaleraCluster> {
    mkdirSync(LOG_FOLDER, { recursive: true });
    const folder = mkdtempSync(join(tmpdir(), 'hub-galera-'));
    give(folder);
    const ports: number[][] = [];
    for (let node = 0; node < 3; node += 1) {
      ports.push([await freePort(), await freePort(), await freePort(), await freePort()]);
    }
    const group = `gcomm://${ports.map(([, port]) => `127.0.0.1:${port}`).join(',')}`;
    const nodes = ports.map((own, index) => makeNode(folder, index, own, group));
    const proxyPort = existsSync(HAPROXY) ? await freePort() : undefined;
    const cluster = new GaleraCluster(folder, nodes, proxyPort);
    try {
      // One after another: a node gives its data to one other at a time.
      for (const [index, node] of nodes.entries()) {
        await node.start(index === 0 ? ['--wsrep-new-cluster'] : []);
      }
      if (proxyPort !== undefined) cluster.startProxy(proxyPort);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  node(index: number): GaleraNode {
    const node = this.nodes[index];
    if (!node) throw new Error(`There is no node ${index}`);
    return node;
  }

  /** `DATABASE_URL` with the nodes in this order. */
  url(database: string, order: number[]): string {
    const hosts = order.map((index) => `127.0.0.1:${this.node(index).port}`);
    return `mysql://root@${hosts.join(',')}/${database}`;
  }

  async stop(): Promise<void> {
    this.proxy?.kill('SIGKILL');
    for (const node of this.nodes) {
      node.thaw();
      await node.kill();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private startProxy(port: number): void {
    const servers = this.nodes.map(
      (node, index) =>
        `  server n${index} 127.0.0.1:${node.port} check inter 1s fall 2 rise 2 ` +
        `on-marked-down shutdown-sessions${index === 0 ? '' : ' backup'}`,
    );
    const lines = [
      'defaults',
      '  mode tcp',
      '  timeout connect 2s',
      '  timeout check 2s',
      '  timeout client 1h',
      '  timeout server 1h',
      '  option redispatch 1',
      'listen galera',
      `  bind 127.0.0.1:${port}`,
      '  option mysql-check user haproxy',
      ...servers,
    ];
    const file = join(this.folder, 'haproxy.cfg');
    writeFileSync(file, `${lines.join('\n')}\n`);
    const log = openSync(join(LOG_FOLDER, 'haproxy.log'), 'w');
    this.proxy = spawn(HAPROXY, ['-db', '-f', file], { stdio: ['ignore', log, log] });
    closeSync(log);
  }
}

function makeNode(folder: string, index: number, ports: number[], group: string): GaleraNode {
  const [port = 0, groupPort, increments, data] = ports;
  const home = join(folder, `node-${index}`);
  mkdirSync(home);
  give(home);
  const common = ['--no-defaults', `--datadir=${join(home, 'data')}`, ...asOther()];
  // The others get theirs from the first one.
  if (index === 0) {
    const made = ['--auth-root-authentication-method=normal', '--skip-test-db'];
    execFileSync('mariadb-install-db', [...common, ...made], { cwd: home, stdio: 'ignore' });
  } else {
    mkdirSync(join(home, 'data'));
    give(join(home, 'data'));
  }
  const address = (number: number | undefined): string => `127.0.0.1:${number}`;
  const provider = [
    `gmcast.listen_addr=tcp://${address(groupPort)}`,
    `ist.recv_addr=${address(increments)}`,
    'gcache.size=64M',
  ];
  const log = join(LOG_FOLDER, `galera-${index}.log`);
  rmSync(log, { force: true });
  const args = [
    ...common,
    `--tmpdir=${home}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${join(home, 'socket')}`,
    `--pid-file=${join(home, 'pid')}`,
    '--max-connections=300',
    '--innodb-use-native-aio=0',
    '--innodb-buffer-pool-size=64M',
    // A killed process loses nothing by it, and the other nodes have it all.
    '--innodb-flush-log-at-trx-commit=2',
    '--binlog-format=ROW',
    '--innodb-autoinc-lock-mode=2',
    '--wsrep-on=ON',
    `--wsrep-provider=${PROVIDERS.find(existsSync)}`,
    '--wsrep-cluster-name=hub',
    `--wsrep-cluster-address=${group}`,
    `--wsrep-node-name=n${index}`,
    `--wsrep-node-address=${address(groupPort)}`,
    `--wsrep-sst-receive-address=${address(data)}`,
    '--wsrep-sst-method=rsync',
    '--wsrep-slave-threads=2',
    `--wsrep-provider-options=${provider.join(';')}`,
  ];
  return new GaleraNode(port, args, log);
}

/** MariaDB does not run as root without being asked; the data's own user is the usual one. */
function asOther(): string[] {
  return process.getuid?.() === 0 ? ['--user=mysql'] : [];
}

function give(path: string): void {
  if (process.getuid?.() !== 0) return;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'mysql']).toString());
  chownSync(path, id('-u'), id('-g'));
}
