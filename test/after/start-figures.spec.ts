import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { StartedHub } from '../support/started-hub.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';

/** A start may take this many times what loading takes. */
const READY_TO_LOADING = 1.6;
const RSS_LIMIT_MB = 150;
const STARTS = 5;

const { HOST: _host, PORT: _port, MASTER_KEYS: _keys, ...SETTINGS } = hubEnvironment();

let folder: string;
let wechat: WechatSimulator;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hub-start-'));
  wechat = await WechatSimulator.start({ components: [COMPONENT] });
});
afterEach(async () => {
  await wechat.stop();
  rmSync(folder, { recursive: true });
});

function spawn(): Promise<StartedHub> {
  const env = { ...SETTINGS, LOG_LEVEL: 'info', WECHAT_API_BASE_URL: wechat.url };
  return StartedHub.spawn(folder, env);
}

it(`starts in little more than its modules take to load, and rests in under ${RSS_LIMIT_MB} MB`, async () => {
  const ready: number[] = [];
  const loading: number[] = [];
  const memory: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    loading.push(loadModules());
    const hub = await spawn();
    const wall = await hub.ready();
    ready.push(Math.round(wall - waitedForCpu(hub)));
    memory.push(Math.round(residentMegabytes(hub)));
    await hub.end('SIGTERM');
  }
  console.log(
    `Start to ready: ${ready.join(', ')} ms, of which loading: ${loading.join(', ')} ms; ` +
      `idle RSS: ${memory.join(', ')} MB`,
  );
  // Machines differ, and the same one from hour to hour: what is held is the hub's own share.
  expect(Math.min(...ready)).toBeLessThan(Math.min(...loading) * READY_TO_LOADING);
  expect(Math.min(...memory)).toBeLessThan(RSS_LIMIT_MB);
}, 60_000);

/** Milliseconds in which a process loads the hub's modules and ends: the floor of a start. */
function loadModules(): number {
  const started = performance.now();
  const url = new URL('../../dist/hub/serve.js', import.meta.url).href;
  execFileSync(process.execPath, ['--input-type=module', '-e', `await import('${url}')`]);
  return Math.round(performance.now() - started);
}

/** Milliseconds for which others had the processor that the hub was ready to use. */
function waitedForCpu({ child }: StartedHub): number {
  if (process.platform !== 'linux') return 0;
  const [, waited] = readFileSync(`/proc/${child.pid}/schedstat`, 'utf8').split(' ');
  return Number(waited) / 1e6;
}

/** Resident memory as Linux counts it; elsewhere there is nothing to read, and nothing to say. */
function residentMegabytes({ child }: StartedHub): number {
  if (process.platform !== 'linux') return 0;
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
