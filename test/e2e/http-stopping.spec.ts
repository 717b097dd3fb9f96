import { Agent, get } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { AccessGuard } from '../../src/auth/access.guard.js';
import { Stopping } from '../../src/common/stopping.js';
import { gate } from '../support/gate.js';
import { expectRefusal } from '../support/callback-state.js';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../support/databases.js';
import { subscribe } from '../support/delivery-world.js';
import { FakeClock } from '../support/fake-clock.js';
import { ADMIN_TOKEN, COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import type { Answer, HubClient } from '../support/hub-client.js';
import { HubProcess } from '../support/hub-process.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import { eventsUrlOf, logLine } from '../support/process-fleet.js';
import { sendBytes } from '../support/raw-socket.js';
import { createTestApp } from '../support/test-app.js';
import { breakExchange, EXCHANGE } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/** What came of one request: its status, or the code of the error that the client saw. */
interface Outcome {
  at: number;
  result: number | string;
}

/**
 * Clients that ask again as soon as they have an answer, half of them on a connection that they
 * keep, half on a new one each time.
 */
class BusyClients {
  readonly outcomes: Outcome[] = [];
  private readonly done: Promise<unknown>;

  /** @param url asked until nobody listens there. */
  constructor(url: string, count: number) {
    this.done = Promise.all(
      Array.from({ length: count }, (_, index) => this.run(url, index % 2 === 0)),
    );
  }

  /** Results, each once. */
  get results(): (number | string)[] {
    return [...new Set(this.outcomes.map(({ result }) => result))];
  }

  /** Resolves when all of them have found the port closed. */
  async refused(): Promise<void> {
    await this.done;
  }

  private async run(url: string, keepAlive: boolean): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    for (;;) {
      const result = await statusOrError(url, agent);
      this.outcomes.push({ at: performance.now(), result });
      if (result === 'ECONNREFUSED') break;
    }
    agent.destroy();
  }
}

function statusOrError(url: string, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

const STOPPING = { status: 503, code: 'stopping' };

describe.each(databaseKinds())('a hub that stops on %s', (kind) => {
  let database: TestDatabase;
  let simulator: WechatSimulator;
  let host: HubProcess;
  let hub: HubClient;
  beforeEach(async () => {
    database = await createTestDatabase(kind);
    simulator = await WechatSimulator.start({ components: [COMPONENT] });
    const own = { DATABASE_URL: database.url, WECHAT_API_BASE_URL: simulator.url };
    host = await HubProcess.start(
      hubEnvironment({ ...own, DELIVERY_ALLOWED_TARGETS: '127.0.0.1' }),
    );
    hub = host.hub;
    simulator.updateComponent(COMPONENT.appid, { pushUrl: eventsUrlOf(host, COMPONENT.appid) });
    await simulator.pushTicket(COMPONENT.appid);
  });
  afterEach(async () => {
    await host.kill();
    await simulator.stop();
    await database.drop();
  });

  it('refuses requests that are on their way in the form that all errors have', async () => {
    expect((await hub.get('/health/live')).status).toBe(200);
    const stopped = host.stop();
    const refusal = await firstRefusal(() => hub.get('/health/live'));
    expectRefusal(refusal, STOPPING);
    expect(refusal.headers.get('connection')).toBe('close');
    expect(await stopped).toBe(0);
  });

  it('takes nothing new while it gives the reply that is under way', async () => {
    const receiver = await WebhookReceiver.start();
    await subscribe(host, receiver, { mode: 'responder', kinds: ['message'] });
    await hub.accessToken(COMPONENT.appid);
    const { opened: until, open: release } = gate();
    receiver.answer({ body: JSON.stringify({ MsgType: 'text', Content: 'in time' }), until });
    const wechat = { hub, simulator, clock: new FakeClock() };
    const send = (): Promise<Answer> => pushMessage(wechat, textFields(wechat));
    const underWay = send();
    await receiver.arrived(1);
    const stopped = host.stop();
    await firstRefusal(() => hub.get('/health/live'));
    const refusals = [await send(), await hub.accessToken(COMPONENT.appid)];
    for (const refusal of refusals) expectRefusal(refusal, STOPPING);
    release();
    expect((await underWay).text).toMatch(/^<xml>/);
    expect(await stopped).toBe(0);
    expect(receiver.received).toHaveLength(1);
    await receiver.close();
  });
});

describe('a request behind one that waits for a token when the hub stops', () => {
  it('is refused under an id of its own', async () => {
    const test = await createTestApp({ database: 'sqlite' });
    breakExchange(test, { kind: 'hang' });
    await test.simulator.pushTicket(COMPONENT.appid);
    const check = vi.spyOn(test.app.get(AccessGuard), 'check');
    const head = `Host: hub\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`;
    const path = `/api/components/${COMPONENT.appid}/access-token/`;
    const answers = sendBytes(
      test.hub.url,
      `GET ${path} HTTP/1.1\r\n${head}GET /health/live HTTP/1.1\r\n${head}`,
    );
    await expect.poll(() => check.mock.calls.length).toBe(1);
    test.app.get(Stopping).begin();
    test.simulator.release(EXCHANGE);
    const { status, body } = await answers;
    expect(status).toBe(200);
    const [, second = ''] = body.split('HTTP/1.1 503');
    const [, id] = /x-request-id: (\S+)/i.exec(second) ?? [];
    expect(JSON.parse(second.slice(second.indexOf('{')))).toMatchObject({ error: { id } });
    await test.close();
  });
});

describe('busy clients of a hub that stops', () => {
  const CLIENTS = 12;
  const DELAY_MS = 1000;
  let database: TestDatabase;
  let simulator: WechatSimulator;
  let host: HubProcess;
  beforeEach(async () => {
    database = await createTestDatabase('sqlite');
    simulator = await WechatSimulator.start({ components: [COMPONENT] });
  });
  afterEach(async () => {
    await host.kill();
    await simulator.stop();
    await database.drop();
  });

  async function start(env: Record<string, string> = {}): Promise<void> {
    const own = { DATABASE_URL: database.url, WECHAT_API_BASE_URL: simulator.url, ...env };
    host = await HubProcess.start(hubEnvironment({ ...own, LOG_LEVEL: 'info' }));
    simulator.updateComponent(COMPONENT.appid, { pushUrl: eventsUrlOf(host, COMPONENT.appid) });
  }

  it('see no connection cut: an answer each time, until nobody listens', async () => {
    await start();
    const clients = new BusyClients(`${host.hub.url}/health/live`, CLIENTS);
    await host.hub.get('/health/live');
    const stopped = host.stop();
    await clients.refused();
    expect(clients.results).toEqual([200, 503, 'ECONNREFUSED']);
    expect(await stopped).toBe(0);
  });

  it('are served as before for STOP_DELAY_SECONDS, while the balancer sees it go', async () => {
    await start({ STOP_DELAY_SECONDS: String(DELAY_MS / 1000) });
    await simulator.pushTicket(COMPONENT.appid);
    await host.hub.accessToken(COMPONENT.appid);
    expect((await host.hub.get('/health/ready')).json).not.toHaveProperty('stopping');
    const clients = new BusyClients(`${host.hub.url}/health/live`, CLIENTS);
    const announced = logLine(host, '"message":"Stopping"');
    const stopped = host.stop();
    await announced;
    const since = performance.now();
    expect(await host.hub.get('/health/ready')).toMatchObject({
      status: 503,
      json: { status: 'down', database: 'up', stopping: true },
    });
    expect((await simulator.pushTicket(COMPONENT.appid)).body).toBe('success');
    expect((await host.hub.accessToken(COMPONENT.appid)).status).toBe(200);
    await clients.refused();
    const early = clients.outcomes.filter(({ at }) => at < since + DELAY_MS - 100);
    expect(new Set(early.map(({ result }) => result))).toEqual(new Set([200]));
    expect(clients.results).toEqual([200, 503, 'ECONNREFUSED']);
    expect(await stopped).toBe(0);
  });

  it('hold up a second signal as little as anybody', async () => {
    await start({ STOP_DELAY_SECONDS: '60' });
    const announced = logLine(host, '"message":"Stopping"');
    const stopped = host.stop();
    await announced;
    const since = performance.now();
    const again = setInterval(() => host.child.kill('SIGTERM'), 200);
    expect(await stopped).toBe(0);
    clearInterval(again);
    expect(performance.now() - since).toBeLessThan(5000);
  });
});

/** The first answer that is not 200; where the hub is gone before it gives one, the test fails. */
async function firstRefusal(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 200) return answer;
  }
}
