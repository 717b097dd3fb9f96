import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { StartedHub } from '../support/started-hub.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';

/** A start may take this many times that of a bare application: `npm run bench -- start` has 1.3. */
const HUB_TO_BARE = 1.6;
const BARE = join(import.meta.dirname, '../../bench/servers/bare-nest.mjs');
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

interface Start {
  ms: number;
  megabytes: number;
}

async function startOnce(main?: string): Promise<Start> {
  const env = {
    ...SETTINGS,
    DATABASE_URL: `sqlite:${join(folder, main ? 'bare.sqlite' : 'hub.sqlite')}`,
    LOG_LEVEL: 'info',
    WECHAT_API_BASE_URL: wechat.url,
  };
  const server = await StartedHub.spawn(folder, env, { main });
  const ms = Math.round((await server.ready()) - waitedForCpu(server));
  const megabytes = Math.round(residentMegabytes(server));
  await server.end('SIGTERM');
  return { ms, megabytes };
}

it(`starts in little more than a bare application, and rests in under ${RSS_LIMIT_MB} MB`, async () => {
  const hub: Start[] = [];
  const bare: Start[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    bare.push(await startOnce(BARE));
    hub.push(await startOnce());
  }
  const times = (starts: Start[]): number[] => starts.map(({ ms }) => ms);
  const memory = hub.map(({ megabytes }) => megabytes);
  console.log(
    `Start to ready: ${times(hub).join(', ')} ms, of a bare application: ${times(bare).join(', ')} ms; ` +
      `idle RSS: ${memory.join(', ')} MB`,
  );
  // Machines differ, and the same one from hour to hour: what is held is the hub's own share.
  expect(Math.min(...times(hub))).toBeLessThan(Math.min(...times(bare)) * HUB_TO_BARE);
  expect(Math.min(...memory)).toBeLessThan(RSS_LIMIT_MB);
}, 60_000);

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
