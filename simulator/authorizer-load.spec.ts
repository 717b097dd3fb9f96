import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { TestClient } from './test-client.js';
import { WechatSimulator } from './wechat-simulator.js';

const PATH = '/cgi-bin/component/api_authorizer_token';
const { appid } = SIMULATOR_COMPONENT;

/** CPU time, which other work on the machine does not lengthen. */
const ADD_LIMIT_MS = 2000;
const ADD_LIMIT_BYTES = 100 * 1024 * 1024;

// Thousands of connections take their time on a machine that is busy with something else.
vi.setConfig({ testTimeout: 90_000 });

let simulator: WechatSimulator;

beforeEach(async () => {
  simulator = await WechatSimulator.start({ components: [SIMULATOR_COMPONENT] });
});

afterEach(() => simulator.stop());

/** By node:http with an agent of its own, because thousands at once need that many connections. */
function post(agent: Agent, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(simulator.url + path, { method: 'POST', agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe('a hundred thousand accounts', () => {
  it('are added fast and stay small', async () => {
    const before = process.memoryUsage().heapUsed;
    const began = process.cpuUsage();
    simulator.addAccounts({ count: 100_000, kind: 'mixed', authorizedTo: appid });
    const { user, system } = process.cpuUsage(began);
    const ms = (user + system) / 1000;
    const bytes = process.memoryUsage().heapUsed - before;
    console.log(`100000 accounts: ${ms.toFixed(0)} ms of CPU, ${(bytes / 2 ** 20).toFixed(0)} MiB`);
    expect(ms).toBeLessThan(ADD_LIMIT_MS);
    expect(bytes).toBeLessThan(ADD_LIMIT_BYTES);
    const client = new TestClient(simulator);
    await client.login();
    const page = await client.call('api_get_authorizer_list', { offset: 99_500, count: 500 });
    expect(page.total_count).toBe(100_000);
    expect(page.list).toHaveLength(500);
  });
});

describe('two thousand calls at once', () => {
  it('are answered after a delay of 50 ms each', async () => {
    const appids = simulator.addAccounts({ count: 2000, authorizedTo: appid });
    const token = await new TestClient(simulator).login();
    const bodies = appids.map((account) => ({
      component_appid: appid,
      authorizer_appid: account,
      authorizer_refresh_token: simulator.refreshTokenOf(appid, account),
    }));
    simulator.addFault({ path: PATH, kind: 'delay', delayMs: 50 });
    const agent = new Agent({ keepAlive: true });
    const round = async () => {
      const path = `${PATH}?component_access_token=${token}`;
      const answers = bodies.map((body) => post(agent, path, JSON.stringify(body)));
      return (await Promise.all(answers)).filter((text) => text.includes('errcode'));
    };
    const began = performance.now();
    expect(await round()).toEqual([]);
    expect(await round()).toEqual([]);
    console.log(`2 x 2000 calls of 50 ms: ${(performance.now() - began).toFixed(0)} ms`);
    agent.destroy();
    expect(simulator.callSummary().paths[PATH]?.arrived).toBe(4000);
    expect(simulator.authorizationCounts(appid)).toMatchObject({
      withWorkingToken: 2000,
      tokensIssued: 4000,
    });
  });

  it('are held and released together', async () => {
    simulator.addFault({ path: PATH, kind: 'hang' });
    const agent = new Agent({ keepAlive: true });
    const pending = Array.from({ length: 2000 }, () => post(agent, PATH, '{}'));
    await simulator.waitForCall(PATH, { count: 2000 });
    expect(simulator.release(PATH)).toBe(2000);
    expect(await Promise.all(pending)).toHaveLength(2000);
    agent.destroy();
  });
});
