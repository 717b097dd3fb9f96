import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { HubProcess } from '../support/hub-process.js';
import { ProcessFleet } from '../support/process-fleet.js';

const { appid } = COMPONENT;
const PUSHES = 10;
const WAIT_MS = 20_000;

interface Line {
  message: string;
  worker?: number;
  pid: number;
  number?: number;
  signal?: string;
}

/** The lines of a hub's log from now on. */
class Log {
  readonly lines: Line[] = [];
  private readonly reader: Interface;

  constructor({ stdout }: ChildProcess) {
    if (!stdout) throw new Error('No stdout');
    this.reader = createInterface({ input: stdout });
    this.reader.on('line', (line) => this.lines.push(JSON.parse(line) as Line));
  }

  /** The first line of which `is` holds. */
  async find(is: (line: Line) => boolean): Promise<Line> {
    const limit = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const found = this.lines.find(is);
      if (found) return found;
      await once(this.reader, 'line', { signal: limit });
    }
  }
}

/** A value of the text format. */
function metric(text: string, start: string): number {
  const line = text.split('\n').find((one) => one.startsWith(start));
  return Number(line?.split(' ').at(-1));
}

describe.each(mysqlOnly())('a hub of two workers on %s', (kind) => {
  let fleet: ProcessFleet;
  let hub: HubProcess;
  let log: Log;

  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 0);
    hub = await fleet.addHub({ WORKERS: '2' });
    log = new Log(hub.child);
    await log.find(({ message, worker }) => message === 'Listening' && worker === 2);
    await fleet.prime(appid, hub);
  }, 60_000);
  afterAll(() => fleet.close());

  /** What answers `GET /admin/instance`: each request has a connection of its own. */
  async function pids(): Promise<Set<number>> {
    const seen = new Set<number>();
    for (let request = 0; request < 6; request += 1) {
      const headers = { connection: 'close' };
      const { json } = await hub.hub.request('GET', '/admin/instance', { headers });
      const { hosts } = json as { hosts: { pid: number; answers: boolean }[] };
      seen.add(hosts.find(({ answers }) => answers)?.pid ?? 0);
    }
    return seen;
  }

  it('answers on one port by both, each a host of its own', async () => {
    const seen = await pids();
    expect(seen.size).toBe(2);
    expect(seen).not.toContain(hub.child.pid);
  });

  it('adds up what both have counted, whichever answers', async () => {
    const series = `hub_callback_pushes_total{component="${appid}",info_type="component_verify_ticket",outcome="success"}`;
    const headers = { connection: 'close' };
    const scrape = (): Promise<{ text: string }> => hub.hub.request('GET', '/metrics', { headers });
    const before = metric((await scrape()).text, series);
    for (let push = 0; push < PUSHES; push += 1) {
      const built = fleet.simulator.buildTicketPush(appid);
      expect((await hub.hub.push(built, { headers })).text).toBe('success');
    }
    for (let count = 0; count < 4; count += 1) {
      const { text } = await scrape();
      expect(metric(text, series) - before).toBe(PUSHES);
      expect(metric(text, 'hub_callback_duration_seconds_count')).toBe(before + PUSHES);
      // Of the database, not of a process.
      expect(metric(text, `hub_token_failed_attempts{component="${appid}"}`)).toBe(0);
      expect(metric(text, `hub_token_remaining_seconds{component="${appid}"}`)).toBeLessThan(7201);
      const types = text.split('\n').filter((line) => line.startsWith('# TYPE'));
      expect(types).toEqual([...new Set(types)]);
    }
  });

  it('goes on while a worker that was killed is started again under its number', async () => {
    const [victim = 0] = await pids();
    process.kill(victim, 'SIGKILL');
    const death = await log.find(({ message }) => message === 'A worker has died');
    expect(death).toMatchObject({ pid: expect.any(Number), signal: 'SIGKILL' });
    const answers = await Promise.all(
      Array.from({ length: PUSHES }, () => hub.hub.accessToken(appid)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(PUSHES).fill(200));
    const again = await log.find(
      ({ message, worker, pid }) =>
        message === 'Listening' && worker === death.number && pid !== victim,
    );
    expect(again.worker).toBe(death.number);
    const now = await pids();
    expect(now.size).toBe(2);
    expect(now).not.toContain(victim);
  });

  it('goes on while a worker cannot be started again, and starts it when it can', async () => {
    const primary = String(hub.child.pid);
    const files = (limit: string): void => void execFileSync('prlimit', ['-p', primary, limit]);
    const [victim = 0] = await pids();
    const said = log.lines.length;
    files('--nofile=10:4096');
    process.kill(victim, 'SIGKILL');
    await log.find(({ message }) => message.startsWith('A worker could not be started'));
    // It takes no connection meanwhile, either.
    files('--nofile=4096:4096');
    expect((await hub.hub.accessToken(appid)).status).toBe(200);
    const isBack = ({ message }: Line): boolean => message === 'Listening';
    await log.find((line) => log.lines.indexOf(line) >= said && isBack(line));
    expect((await pids()).size).toBe(2);
  });

  it('says in each line which worker wrote it, and stops all with 0', async () => {
    expect(await hub.stop()).toBe(0);
    const stops = log.lines.filter(({ message }) => message === 'Stopping');
    expect(stops.map(({ worker }) => worker).toSorted()).toEqual([1, 2, undefined]);
    const primary = new Set([
      'A worker has died',
      'A worker could not be started, or be spoken to',
      'Stopping',
    ]);
    const nameless = log.lines.filter(({ worker }) => worker === undefined);
    expect(nameless.filter(({ message }) => !primary.has(message))).toEqual([]);
    expect((await fleet.sql.query('SELECT id FROM host'))[0]).toEqual([]);
  });

  it('ends with the one message of a hub when no worker can start, and when its primary is gone', async () => {
    const first = await fleet.addHub({ WORKERS: '2' });
    const { port } = new URL(first.hub.url);
    const start = fleet.addHub({ WORKERS: '2', PORT: port });
    await expect(start).rejects.toThrow(
      /did not start: Configuration is not usable:\n {2}PORT: another program listens on \d+: set another port\n$/,
    );
    // The workers have the primary's stdout: it closes when the last of them has ended.
    const ended = once(first.child, 'close', { signal: AbortSignal.timeout(WAIT_MS) });
    await first.kill();
    await ended;
    await expect(first.hub.get('/health/live')).rejects.toThrow('fetch failed');
  });
});

it('several workers on SQLite are refused', async () => {
  const start = HubProcess.start({ WORKERS: '2', DATABASE_URL: 'sqlite:./unused.sqlite' });
  await expect(start).rejects.toThrow('WORKERS: must be 1 with SQLite');
});
