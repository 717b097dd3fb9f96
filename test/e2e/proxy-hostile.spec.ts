import { once } from 'node:events';
import { createServer, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  tokenText,
} from '../support/authorizer-world.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { prime } from '../support/token-world.js';

/** How what stands in for WeChat answers, by the last part of the path. */
const WAYS: Record<string, (response: ServerResponse, token: string) => void> = {
  s204: (response) => response.writeHead(204).end(),
  s304: (response) => response.writeHead(304).end(),
  s999: (response) => response.writeHead(999).end('odd'),
  early: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
  silent: () => undefined,
  reset: (response) => void response.socket?.resetAndDestroy(),
  cut: (response) => {
    response.writeHead(200, { 'content-length': '20000' }).write('x'.repeat(10_000));
    setTimeout(() => response.socket?.destroy(), 50);
  },
  upgrade: (response) =>
    void response.socket?.end(
      'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    ),
  redirect: (response, token) =>
    response.writeHead(302, { location: `http://evil.example.com/?t=${token}` }).end(`to ${token}`),
  words: (response, token) => response.writeHead(500).end(`refused: ${token}`),
  long: (response, token) =>
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-disposition': `a="${token}"` })
      .end(JSON.stringify({ text: `${'x'.repeat(70_000)}${token}${'y'.repeat(70_000)}` })),
};

describe('the proxy before a WeChat that behaves badly', () => {
  let test: TestApp;
  let account: string;
  const front = createServer((incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://front');
    const way = /^\/fake\/(\w+)$/.exec(pathname)?.[1];
    if (way) return WAYS[way]?.(outgoing, searchParams.get('access_token') ?? '');
    const { hostname, port } = new URL(test.simulator.url);
    const { url: path, method, headers } = incoming;
    const passed = httpRequest({ hostname, port, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    return incoming.pipe(passed);
  });
  beforeAll(async () => {
    await once(front.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    test = await createTestApp({
      database: 'sqlite',
      env: { WECHAT_API_BASE_URL: url, GATEWAY_BODY_LIMIT_MB: '1', GATEWAY_TIMEOUT_SECONDS: '5' },
    });
    await prime(test);
    account = newAccount(test);
    await authorizeByEvent(test, account);
  });
  afterAll(async () => {
    await test?.close();
    front.closeAllConnections();
    front.close();
  });
  beforeEach(() => test.simulator.clearCalls());

  const authorization = `Bearer ${ADMIN_TOKEN}`;
  const ask = (way: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${test.hub.url}/proxy/authorizers/${account}/fake/${way}`, {
      redirect: 'manual',
      ...init,
      headers: { authorization },
    });

  it.each([
    ['s204', 204],
    ['s304', 304],
    ['s999', 502],
    ['reset', 502],
    ['upgrade', 502],
  ])('%s is answered %i, ten times in a row', async (way, status) => {
    for (let call = 0; call < 10; call += 1) {
      const answer = await ask(way);
      await answer.text();
      expect(answer.status).toBe(status);
    }
  });

  it('cuts an answer that is cut', async () => {
    const answer = await ask('cut');
    await expect(answer.text()).rejects.toThrow(/terminated/);
  });

  it.each([
    ['answers before it has the body', 'early', 200],
    ['resets the connection during the body', 'reset', 502],
    ['would get more than the limit', 'silent', 413, 3 * 1024 * 1024],
  ])('outlives a slow upload of which WeChat %s', async (_, way, status, bytes = 900_000) => {
    const { hostname, port } = new URL(test.hub.url);
    const upload = httpRequest({
      hostname,
      port,
      method: 'POST',
      path: `/proxy/authorizers/${account}/fake/${way}`,
      headers: { authorization, 'transfer-encoding': 'chunked' },
    });
    upload.on('error', () => undefined);
    const answered = once(upload, 'response') as Promise<[{ statusCode: number; resume(): void }]>;
    upload.write(Buffer.alloc(bytes));
    const [{ statusCode }] = await answered;
    expect(statusCode).toBe(status);
    const closed = new Promise((resolve) => upload.once('close', resolve));
    // The hub throws away for a second what goes on coming, then it ends the connection.
    upload.write(Buffer.alloc(1000));
    await closed;
    upload.destroy();
    expect((await test.hub.get('/health/live')).status).toBe(200);
  });

  it.each(['redirect', 'words', 'long'])('shows no token that WeChat repeats: %s', async (way) => {
    const token = await tokenText(test, account);
    const answer = await ask(way);
    const text = `${JSON.stringify([...answer.headers])}${await answer.text()}`;
    expect(text).not.toContain(token);
    if (way === 'long') expect(text.length).toBeGreaterThan(140_000);
  });

  it('asks for answers that it can read, and keeps what it was given of the rest', async () => {
    const answer = await ask('long', { method: 'POST', body: 'x'.repeat(100_000) });
    const { text } = (await answer.json()) as { text: string };
    expect(text.replaceAll(/[xy]/g, '')).toMatch(/^\*+$/);
  });

  it('lets a call come to its end when the hub stops', async () => {
    const second = await authorizerHub({ database: 'sqlite' });
    const one = newAccount(second);
    await authorizeByEvent(second, one);
    const path = '/cgi-bin/message/custom/send';
    second.simulator.addFault({ path, kind: 'hang' });
    const call = fetch(`${second.hub.url}/proxy/authorizers/${one}${path}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ touser: 'fake_openid', msgtype: 'text', text: { content: 'x' } }),
    });
    await second.simulator.waitForCall(path);
    const stopped = second.app.close();
    await eventually('the hub to refuse others', async () =>
      (await fetch(`${second.hub.url}/health/live`).catch(() => ({ status: 0 }))).status === 200
        ? undefined
        : true,
    );
    second.simulator.release(path);
    expect(await (await call).json()).toEqual({ errcode: 0, errmsg: 'ok' });
    await stopped;
    await second.simulator.stop();
    await second.database.drop();
  });
});
