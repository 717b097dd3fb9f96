import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import { HubProcess } from '../support/hub-process.js';

const DIST = join(import.meta.dirname, '../../dist/database');
const ROUNDS = 12;
const OPENERS = 3;
/** Opens and migrates the file of each line that it reads, and says how that went. */
const OPENER = `
  import { createInterface } from 'node:readline';
  import { dataSourceOptions } from '${DIST}/data-source-options.js';
  import { openDataSource } from '${DIST}/open-data-source.js';
  console.log('ready');
  for await (const path of createInterface({ input: process.stdin })) {
    try {
      const source = await openDataSource(dataSourceOptions({ database: { type: 'sqlite', path } }));
      const [{ n }] = await source.query('SELECT COUNT(*) AS n FROM migrations');
      console.log('migrations ' + n);
      await source.destroy();
    } catch (error) {
      console.log('failed ' + error);
    }
  }`;
/** Takes the right to write to a file and keeps it. */
const HOLDER = `
  import Libsql from 'libsql';
  const database = new Libsql(process.argv[1]);
  database.exec('BEGIN IMMEDIATE');
  database.exec('CREATE TABLE half_made (id integer)');
  console.log('held');
  setInterval(() => undefined, 1000);`;

/** A process that runs a script and writes lines. */
class Script {
  readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(source: string, ...args: string[]) {
    this.child = spawn(process.execPath, ['--input-type=module', '-e', source, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const reader: Interface = createInterface({ input: this.child.stdout! });
    this.lines = reader[Symbol.asyncIterator]();
  }

  /** What it says next; the hub's own log lines are passed over. */
  async line(): Promise<string> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done || /^(ready|migrations|failed|held)/.test(value)) return String(value);
    }
  }

  ask(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    return this.line();
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

describe('processes that start together on one empty SQLite file', () => {
  let folder: string;
  let openers: Script[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hub-together-'));
    openers = Array.from({ length: OPENERS }, () => new Script(OPENER));
    for (const opener of openers) expect(await opener.line()).toBe('ready');
  });
  afterAll(async () => {
    for (const opener of openers) await opener.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`migrate once, and none fails, in ${ROUNDS} rounds`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const path = join(folder, `round-${round}.sqlite`);
      const said = await Promise.all(openers.map((opener) => opener.ask(path)));
      expect([round, ...said]).toEqual([round, ...openers.map(() => said[0])]);
      expect(said[0]).toMatch(/^migrations [1-9]/);
    }
  }, 60_000);

  it('wait for one that is at work; one that is killed leaves no lock and no half of a schema', async () => {
    const path = join(folder, 'killed.sqlite');
    new Libsql(path).exec('PRAGMA journal_mode = WAL');
    const holder = new Script(HOLDER, path);
    expect(await holder.line()).toBe('held');
    let said: string[] | undefined;
    const waiting = Promise.all(openers.map((opener) => opener.ask(path))).then(
      (lines) => (said = lines),
    );
    await delay(1500);
    expect(said).toBe(undefined);
    await holder.kill();
    for (const line of await waiting) expect(line).toMatch(/^migrations [1-9]/);
    const tables = new Libsql(path).prepare("SELECT name FROM sqlite_master WHERE type = 'table'");
    expect(tables.all()).not.toContainEqual({ name: 'half_made' });
  }, 30_000);

  it('serve as hubs, with one master key that they have made', async () => {
    const path = join(folder, 'hubs', 'hub.sqlite');
    const simulator = await WechatSimulator.start({ components: [COMPONENT] });
    const { MASTER_KEYS: _, ...env } = hubEnvironment({ DATABASE_URL: `sqlite:${path}` });
    const starts = await Promise.allSettled(
      Array.from({ length: 2 }, () =>
        HubProcess.start({ ...env, WECHAT_API_BASE_URL: simulator.url }),
      ),
    );
    const hubs = starts.flatMap((start) => (start.status === 'fulfilled' ? start.value : []));
    try {
      for (const start of starts) expect(start).toMatchObject({ status: 'fulfilled' });
      expect(existsSync(join(folder, 'hubs', 'master.key'))).toBe(true);
      for (const { hub } of hubs) {
        const { json } = await hub.get('/admin/components');
        expect(json).toHaveLength(1);
        expect(json[0].error).toBeFalsy();
      }
    } finally {
      for (const hub of hubs) await hub.kill();
      await simulator.stop();
    }
  }, 60_000);
});
