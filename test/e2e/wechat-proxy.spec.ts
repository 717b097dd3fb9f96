import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { ConnectProxy } from '../support/connect-proxy.js';
import { createTestDatabase } from '../support/databases.js';
import { subscribe } from '../support/delivery-world.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import { HubProcess } from '../support/hub-process.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { TestAuthority } from '../support/test-certificates.js';
import { logLines } from '../support/test-log-lines.js';
import { calls, HOUR, issued, prime, SECOND, sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const { appid } = COMPONENT;
const PASSWORD = 'fake-p@ss-of-the-proxy';
const TIMEOUT_MS = 1000;

let proxy: ConnectProxy;
beforeAll(async () => {
  proxy = await ConnectProxy.open();
});
afterAll(() => proxy.close());
beforeEach(() => {
  proxy.cut();
  proxy.connects.length = 0;
  proxy.behaviour = 'connect';
  proxy.wants = `hub:${PASSWORD}`;
});

describe('a hub behind a proxy', () => {
  let test: TestApp;
  afterEach(() => test.close());

  async function start(env: Record<string, string> = {}): Promise<void> {
    test = await createTestApp({
      database: 'sqlite',
      env: {
        HTTP_PROXY: `hub:${encodeURIComponent(PASSWORD)}@${proxy.host}`,
        WECHAT_API_TIMEOUT_MS: String(TIMEOUT_MS),
        ...env,
      },
    });
  }
  const refresh = () => {
    test.clock.advance(10 * SECOND);
    return test.hub.post(`/admin/tokens/${appid}/refresh`);
  };

  it('calls WeChat through it, again and again on one connection', async () => {
    await start();
    expect(await prime(test)).toBe(issued(test));
    for (let again = 0; again < 3; again += 1) expect((await refresh()).status).toBe(200);
    const { host } = new URL(test.simulator.url);
    expect(proxy.connects.map(({ target }) => target)).toEqual([host]);
  });

  it('calls directly what NO_PROXY names', async () => {
    await start({ NO_PROXY: 'localhost,127.0.0.0/8' });
    expect(await prime(test)).toBe(issued(test));
    expect(proxy.connects).toEqual([]);
  });

  it.each([
    ['wrong credentials', 407, 'refused its user and password, or wants some: HTTP 407'],
    ['a forbidden target', 403, 'did not let the call through: HTTP 403'],
    ['a target that it cannot reach', 502, 'did not let the call through: HTTP 502'],
    ['a connection that ends', 'end', 'ended the connection'],
    ['silence', 'hang', `did not answer within ${0.8 * TIMEOUT_MS} ms`],
  ] as const)('says that it was the proxy at %s, and gets over it', async (_, behaviour, why) => {
    await start();
    const token = await prime(test);
    proxy.cut();
    proxy.behaviour = behaviour;
    const started = performance.now();
    const refused = await refresh();
    expect(performance.now() - started).toBeLessThan(2 * TIMEOUT_MS);
    const { error } = refused.json;
    expect(error).toMatchObject({ code: 'wechat_api_failed', kind: 'proxy' });
    expect(error.message).toContain(`the proxy ${proxy.host} ${why}`);
    // The token before it is served meanwhile.
    expect((await test.hub.accessToken()).json.component_access_token).toBe(token);
    const view = await test.hub.token();
    expect(view.json.lastError).toMatchObject({ kind: 'proxy', operator: true });
    const [row] = await sql(test).query('SELECT last_error FROM component_access_token');
    const places = [refused.text, view.text, row.last_error, JSON.stringify(logLines(proxy.host))];
    for (const text of places) {
      expect(text).toContain(proxy.host);
      expect(text).not.toMatch(/p@ss|p%40ss/);
      expect(text).not.toContain(Buffer.from(proxy.wants ?? '').toString('base64'));
    }
    proxy.behaviour = 'connect';
    expect((await refresh()).status).toBe(200);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });

  it.each([
    ['true', 1],
    ['false', 0],
  ])('delivers through it where DELIVERY_USE_PROXY is %s: %i', async (use, connects) => {
    await start({ DELIVERY_USE_PROXY: use, DELIVERY_ALLOWED_TARGETS: '127.0.0.1' });
    const receiver = await WebhookReceiver.start();
    try {
      const { id } = await subscribe(test, receiver, { name: 'behind the proxy' });
      expect((await test.hub.post(`/admin/subscriptions/${id}/test`)).status).toBe(200);
      expect(receiver.received).toHaveLength(1);
      expect(proxy.connects).toHaveLength(connects);
    } finally {
      await receiver.close();
    }
  });

  it('holds the limit of a call whose answer does not come, and says which way it went', async () => {
    await start();
    await prime(test);
    test.clock.advance(3 * HOUR);
    test.simulator.addFault({ kind: 'hang' });
    const started = performance.now();
    const { error } = (await test.hub.accessToken()).json;
    expect(performance.now() - started).toBeLessThan(2 * TIMEOUT_MS);
    expect(error.kind).toBe('network');
    expect(error.message).toContain(`through the proxy ${proxy.host} did not answer in time`);
    expect(calls(test)).toBe(2);
  });
});

it('a hub as a process calls WeChat by TLS through https_proxy, in small letters', async () => {
  const simulator = await WechatSimulator.start({ components: [COMPONENT] });
  const authority = new TestAuthority();
  const { cert, key } = authority.issue('wechat', 'DNS:wechat.example');
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  const front = createServer(files, (incoming, outgoing) => {
    const { method = 'POST', url = '/', headers } = incoming;
    const inner = request(simulator.url + url, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(inner);
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const { port } = front.address() as AddressInfo;
  const database = await createTestDatabase('sqlite');
  const hub = await HubProcess.start(
    hubEnvironment({
      DATABASE_URL: database.url,
      WECHAT_API_BASE_URL: `https://wechat.example:${port}`,
      NODE_EXTRA_CA_CERTS: authority.ca,
      https_proxy: `http://hub:${encodeURIComponent(PASSWORD)}@${proxy.host}`,
      HTTPS_PROXY: 'http://127.0.0.1:1',
    }),
  );
  try {
    await hub.hub.push(simulator.buildTicketPush(appid));
    const { status, json } = await hub.hub.accessToken();
    expect([status, json.component_access_token]).toEqual([200, issued({ simulator })]);
    const targets = new Set(proxy.connects.map(({ target }) => target));
    expect([...targets]).toEqual([`wechat.example:${port}`]);
  } finally {
    await hub.stop();
    front.close();
    await simulator.stop();
    await database.drop();
    authority.remove();
  }
});
