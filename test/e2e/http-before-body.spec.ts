import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LogBrake } from '../../src/common/log-brake.js';
import { rawRequest } from '../support/http-exchange.js';
import { operations } from '../support/openapi-document.js';
import { expectRefusal, expectSuccess, withTicketAndToken } from '../support/callback-state.js';
import { ADMIN_TOKEN, COMPONENT } from '../support/fake-settings.js';
import { sendBytes } from '../support/raw-socket.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';

const { appid } = COMPONENT;
const BEARER = `Authorization: Bearer ${ADMIN_TOKEN}`;
const WRONG = 'Authorization: Bearer fake-and-wrong';
const JSON_TYPE = 'Content-Type: application/json';
const ENDLESS = 'Content-Length: 1000000';
const NOT_FOUND = { status: 404, code: 'not_found' };
const UNAUTHORIZED = { status: 401, code: 'unauthorized' };
const WRONG_TYPE = { status: 415, code: 'unsupported_media_type' };

/** What is refused by its head alone: the body that it announces never comes. */
const HEADS: [string, string, string[], { status: number; code: string }][] = [
  ['no route has', 'POST /nothing', [ENDLESS, JSON_TYPE], NOT_FOUND],
  ['no route has, chunked', 'POST /nothing', ['Transfer-Encoding: chunked'], NOT_FOUND],
  [
    'no route has, of another type',
    'POST /nothing',
    [ENDLESS, 'Content-Type: text/xml'],
    NOT_FOUND,
  ],
  ['has no such method', 'PUT /admin/tickets', [ENDLESS, JSON_TYPE, BEARER], NOT_FOUND],
  ['has no such known method', 'PROPPATCH /health/live', [ENDLESS], NOT_FOUND],
  ['is below a callback', `POST /callback/${appid}/event`, [ENDLESS], NOT_FOUND],
  ['wants a bearer', 'POST /admin/components', [ENDLESS, JSON_TYPE], UNAUTHORIZED],
  ['wants another bearer', 'POST /admin/components', [ENDLESS, JSON_TYPE, WRONG], UNAUTHORIZED],
  ['wants a bearer and another type', 'POST /admin/components', [ENDLESS], UNAUTHORIZED],
  [
    'wants a bearer for a chunk',
    'POST /admin/components',
    ['Transfer-Encoding: chunked'],
    UNAUTHORIZED,
  ],
  ['wants a bearer in upper case', 'POST /ADMIN/Components', [ENDLESS, JSON_TYPE], UNAUTHORIZED],
  ['wants JSON', 'POST /admin/components', [ENDLESS, BEARER, 'Content-Type: text/xml'], WRONG_TYPE],
  ['wants a type', 'POST /admin/components', [ENDLESS, BEARER], WRONG_TYPE],
  [
    'wants JSON, chunked',
    'POST /admin/components',
    ['Transfer-Encoding: chunked', BEARER, 'Content-Type: application/json5'],
    WRONG_TYPE,
  ],
  ['asks leave first', 'POST /admin/components', [ENDLESS, 'Expect: 100-continue'], UNAUTHORIZED],
  [
    'expects what nobody knows',
    'GET /health/live',
    ['Expect: a-pony'],
    { status: 417, code: 'expectation_failed' },
  ],
  ['asks for a tunnel', 'CONNECT example.com:443', [], { status: 405, code: 'method_not_allowed' }],
];

/** Spellings of one path whose meaning is plain. */
function spellings(path: string): string[] {
  return [
    `${path}/`,
    `/${path}`,
    path.replaceAll('/', '//'),
    path.replace(/\/\w+/, (first) => first.toUpperCase()),
  ];
}

// On one database: nothing here gets near it.
describe('in front of the body, a hub', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    await withTicketAndToken(test, appid);
  });
  afterAll(() => test.close());
  // What was counted of wrong bearers is over.
  beforeEach(() => test.clock.advance(61_000));

  it.each(HEADS)('refuses what %s', async (_, line, headers, refusal) => {
    const own = ['Host: hub', 'Connection: close'];
    const head = [`${line} HTTP/1.1`, ...own, ...headers, '', ''].join('\r\n');
    const { status, headers: answered, body } = await sendBytes(test.hub.url, head);
    const { error } = JSON.parse(body);
    expect({ status, code: error.code }).toEqual(refusal);
    expect(error.id).toBe(answered.get('x-request-id'));
    expect(answered.get('cache-control')).toBe('no-store');
    expect(answered.get('x-content-type-options')).toBe('nosniff');
  });

  it('asks for a body that is announced, once it may come', async () => {
    const { hostname, port } = new URL(test.hub.url);
    const socket = connect(Number(port), hostname).setEncoding('utf8');
    const path = `/api/components/${appid}/access-token/invalidate`;
    const body = '{"token":"fake"}';
    const head = [`POST ${path} HTTP/1.1`, 'Host: hub', BEARER, JSON_TYPE, 'Connection: close'];
    socket.write(
      [...head, 'Expect: 100-continue', `Content-Length: ${body.length}`, '', ''].join('\r\n'),
    );
    const [leave] = await once(socket, 'data');
    expect(leave).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(body);
    const [answer] = await once(socket, 'data');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    socket.destroy();
  });

  it('keeps a connection whose refused body has come with its head', async () => {
    const { hostname, port } = new URL(test.hub.url);
    const socket = connect(Number(port), hostname).setEncoding('utf8');
    for (const _ of [1, 2]) {
      socket.write('POST /nothing HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\n{}');
      const [answer] = await once(socket, 'data');
      expect(answer).toMatch(/^HTTP\/1\.1 404/);
    }
    socket.destroy();
  });

  it.each([
    ['POST /nothing', 404],
    ['POST /admin/%zz', 400],
    ['GET /health/live', 200],
  ])('ends a connection on which the body of %s does not come', async (line, expected) => {
    const started = performance.now();
    const head = [`${line} HTTP/1.1`, 'Host: hub', ENDLESS, '', ''].join('\r\n');
    expect((await sendBytes(test.hub.url, head)).status).toBe(expected);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('takes a path in every spelling whose meaning is plain, and guards all of them', async () => {
    for (const path of ['/admin/tickets', `/api/components/${appid}/access-token`]) {
      for (const spelled of spellings(path)) {
        const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
        const right = await rawRequest(test.hub.url, { method: 'GET', path: spelled, headers });
        expect([spelled, right.status]).toEqual([spelled, 200]);
        for (const method of ['GET', 'HEAD']) {
          const { status } = await rawRequest(test.hub.url, { method, path: spelled });
          expect([method, spelled, status]).toEqual([method, spelled, 401]);
        }
      }
    }
    const upper = await test.hub.get(`/admin/tickets/${appid.toUpperCase()}`);
    expectRefusal(upper, { status: 404, code: 'component_unknown' });
  });

  it('takes a push at an URL in every spelling whose meaning is plain', async () => {
    for (const path of spellings(`/callback/${appid}/events`)) {
      const { query, body, headers } = test.simulator.buildTicketPush(appid);
      expectSuccess(await rawRequest(test.hub.url, { path: `${path}?${query}`, body, headers }));
    }
  });

  it.each(['/', '//', '/?state=a?b/'])(
    'leads from the page with %s behind it to its URL',
    async (end) => {
      const page = `${test.hub.url}/authorize/${appid}`;
      const answer = await fetch(page + end);
      expect(answer.status).toBe(200);
      expect(answer.url).toBe(page + end.replace(/^\/+/, ''));
    },
  );

  it.each(['/', '/authorize/', '/callback/'])(
    'reads a path of slashes below %s once',
    async (start) => {
      const path = `${start}${'/'.repeat(15_000)}x/${'/'.repeat(100)}y`;
      await rawRequest(test.hub.url, { method: 'GET', path });
      const before = performance.eventLoopUtilization();
      for (let index = 0; index < 20; index += 1) {
        expect((await rawRequest(test.hub.url, { method: 'GET', path })).status).toBe(404);
      }
      // Read again from each of its slashes, one of them takes 100 ms.
      expect(performance.eventLoopUtilization(before).active / 20).toBeLessThan(40);
    },
  );

  it('lets nobody keep what it answers under /admin and /api', async () => {
    for (const { method, path } of await operations(test.hub)) {
      for (const authorization of [`Bearer ${ADMIN_TOKEN}`, 'Bearer fake']) {
        test.clock.advance(10_000);
        if (method !== 'GET' && authorization !== 'Bearer fake') continue;
        const answer = await rawRequest(test.hub.url, { method, path, headers: { authorization } });
        const kept = answer.headers.get('cache-control');
        expect([method, path, kept]).toEqual([method, path, 'no-store']);
      }
    }
    for (const path of ['/admin/nothing', '/admin/%zz', `/admin/tokens/${'x'.repeat(200)}`]) {
      const { headers } = await rawRequest(test.hub.url, { method: 'GET', path });
      expect([path, headers.get('cache-control')]).toEqual([path, 'no-store']);
    }
  });

  it.each([
    [100, 200],
    [101, 431],
    [999, 431],
    [1500, 431],
  ])('with %i headers is answered %i', async (count, expected) => {
    const own = ['Host: hub', 'Connection: close', BEARER];
    const more = Array.from({ length: count - own.length }, (_, index) => `X${index}: 1`);
    const path = `/api/components/${appid}/access-token`;
    const head = [`GET ${path} HTTP/1.1`, ...own, ...more, '', ''].join('\r\n');
    const { status, body } = await sendBytes(test.hub.url, head);
    expect(status).toBe(expected);
    if (expected === 431) expect(JSON.parse(body).error.code).toBe('headers_too_large');
  });

  it('answers a request without Host in the form that all errors have', async () => {
    const { status, body } = await sendBytes(test.hub.url, 'GET /health/live HTTP/1.1\r\n\r\n');
    expect(status).toBe(400);
    expect(JSON.parse(body).error.code).toBe('bad_request');
  });

  describe('of wrong bearers', () => {
    const attempt = (authorization: string, path = '/admin/tickets') =>
      rawRequest(test.hub.url, { method: 'GET', path, headers: { authorization } });

    it('answers 20 of an address within a minute, and holds up no right one', async () => {
      // Every sender from before is forgotten.
      for (const _ of [1, 2]) test.app.get(LogBrake).flush();
      const logged = logLines('"code":"unauthorized"').length;
      for (let index = 0; index < 20; index += 1) {
        expectRefusal(await attempt(`Bearer fake-${index}`), UNAUTHORIZED);
      }
      test.app.get(LogBrake).flush();
      const lines = logLines('"code":"unauthorized"').slice(logged);
      expect(lines.map(({ level, repeated }) => [level, repeated])).toEqual([
        ['info', undefined],
        ['info', 19],
      ]);
      test.clock.advance(20_000);
      const refused = await attempt('Bearer fake');
      expectRefusal(refused, { status: 429, code: 'too_many_attempts' });
      expect(refused.headers.get('retry-after')).toBe('40');
      const byMemory = `/api/components/${appid}/access-token`;
      for (const path of ['/admin/tickets', byMemory]) {
        expect((await attempt(`Bearer ${ADMIN_TOKEN}`, path)).status).toBe(200);
        expect((await attempt('Bearer fake', path)).status).toBe(429);
      }
      test.clock.advance(40_000);
      expectRefusal(await attempt('Bearer fake'), UNAUTHORIZED);
    });
  });
});
