import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AccessGuard } from '../../src/auth/access.guard.js';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import { rawRequest, type RawRequest } from '../support/http-exchange.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';

const ROUTES = [
  '/api/components/:componentAppId/access-token',
  '/api/authorizers/:authorizerAppId/access-token',
];
const BEHIND_PROXY = '192.0.2.7';

/** Keys, and what a read by one of them is answered with. */
const KEYS: [string, object, number][] = [
  ['that may read tokens', {}, 200],
  ['that may do everything', { scopes: ['admin'] }, 200],
  ['without the scope', { scopes: ['token:refresh', 'proxy'] }, 403],
  ['of the network', { networks: [`${BEHIND_PROXY}/32`] }, 200],
  ['of the network of the proxy', { networks: ['127.0.0.1'] }, 403],
  ['of other platforms', { componentAppIds: ['wxother'] }, 403],
  ['of other accounts', { authorizerAppIds: ['wxother'] }, 403],
];

/** Reads that say the same and look otherwise: the framework's routes take them. */
const WAYS: [string, (path: string) => RawRequest][] = [
  ['with a slash at its end', (path) => ({ path: `${path}/` })],
  ['with slashes doubled', (path) => ({ path: path.replaceAll('/', '//') })],
  ['in capitals', (path) => ({ path: path.replace('/api/', '/Api/') })],
  ['with an empty query', (path) => ({ path: `${path}?` })],
  ['with its platform named', (path) => ({ path: `${path}?component=${PLATFORM}` })],
  ['that wants leave for a body', (path) => ({ path, headers: { expect: '100-continue' } })],
  [
    'with a body',
    (path) => ({ path, body: '{}', headers: { 'content-type': 'application/json' } }),
  ],
];

/** AppIDs that are none, or nobody's. */
const REFUSED = ['unknown', 'un%20known', 'x'.repeat(64), 'x'.repeat(65)];

/** Reads of a token are answered before the framework; the answers do not show it. */
describe.each(databaseKinds())('a token that is in memory on %s', (kind) => {
  let test: TestApp;
  let paths: string[];
  beforeAll(async () => {
    test = await authorizerHub({ database: kind, env: { TRUSTED_PROXIES: '127.0.0.1' } });
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    paths = [
      `/api/components/${PLATFORM}/access-token`,
      `/api/authorizers/${account}/access-token`,
    ];
    // The world itself has read the platform's token.
    for (const route of ROUTES) {
      asked.set(`GET ${route} 200`, await test.hub.answered('GET', route, 200));
    }
    for (const path of paths) await read(path);
  });
  afterAll(() => test.close());

  /** Reads so far, by route and the status of their answers. */
  const asked = new Map<string, number>();

  async function read(request: string | RawRequest, bearer = ADMIN_TOKEN): Promise<Answer> {
    const {
      headers,
      method = 'GET',
      ...raw
    } = typeof request === 'string' ? { path: request } : request;
    const own = { authorization: `Bearer ${bearer}`, 'x-forwarded-for': BEHIND_PROXY };
    const whole = { method, ...raw, headers: { ...own, ...headers } };
    const answer = await rawRequest(test.hub.url, whole);
    const route = ROUTES.find((one) => raw.path.includes(one.split('/')[2] ?? '')) ?? '';
    const name = `${method} ${route} ${answer.status}`;
    asked.set(name, (asked.get(name) ?? 0) + 1);
    return answer;
  }

  async function keyOf(values: object): Promise<string> {
    const key = { name: 'A service', scopes: ['token:read'], ...values };
    const { status, json } = await test.hub.post('/admin/api-keys', key);
    expect(status).toBe(201);
    return json.key as string;
  }

  /** What the caller sees, without what differs from answer to answer. */
  function seen({ status, headers, text, json }: Answer): object {
    const { 'x-request-id': id = '', date, ...same } = Object.fromEntries(headers);
    expect([id, date]).toEqual([expect.stringMatching(/^[\da-f-]{36}$/), expect.any(String)]);
    if (status !== 200) expect(json.error.id).toBe(id);
    return { status, headers: same, text: text.replaceAll(id, '') };
  }

  /** What the hub logged of an answer. */
  function logged({ headers }: Answer): object[] {
    const lines = logLines(String(headers.get('x-request-id')));
    return lines.map((line) => ({ ...line, requestId: '', timestamp: 0 }));
  }

  it('is read before the framework, where it is asked for as services do', async () => {
    const check = vi.spyOn(test.app.get(AccessGuard), 'check');
    const isOfFramework = async (request: string | RawRequest): Promise<boolean> => {
      check.mockClear();
      expect((await read(request)).status).toBe(200);
      return 'raw' in (check.mock.lastCall?.[0] ?? {});
    };
    for (const path of paths) {
      expect(await isOfFramework(path)).toBe(false);
      for (const [, way] of WAYS) expect(await isOfFramework(way(path))).toBe(true);
    }
    check.mockRestore();
  });

  describe.each(WAYS)('asked for %s', (_way, way) => {
    it.each(KEYS)('is answered to a key %s as a plain read is', async (_key, values, status) => {
      const key = await keyOf(values);
      for (const path of paths) {
        const plain = seen(await read(path, key));
        expect(plain).toMatchObject({ status });
        expect(seen(await read(way(path), key))).toEqual(plain);
      }
    });

    it.each(REFUSED)('is refused as a plain read is, for %s', async (appid) => {
      for (const collection of ['components', 'authorizers']) {
        const path = `/api/${collection}/${appid}/access-token`;
        const plain = seen(await read(path)) as { status: number };
        expect(plain.status).toBeGreaterThanOrEqual(400);
        expect(seen(await read(way(path)))).toEqual(plain);
      }
    });

    it('is logged and counted as a plain read is', async () => {
      const key = await keyOf({});
      for (const [index, path] of paths.entries()) {
        const route = ROUTES[index] ?? '';
        const nobody = route.replace(/:\w+/, 'wxnobody');
        const plain = logged(await read(nobody, key));
        expect(plain).toMatchObject([{ status: 404, route }]);
        expect(logged(await read(way(nobody), key))).toEqual(plain);
        for (const request of [path, way(path)]) await read(request, key);
        for (const status of [200, 404]) {
          // The framework counts when its answer has left.
          await expect
            .poll(() => test.hub.answered('GET', route, status))
            .toBe(asked.get(`GET ${route} ${status}`));
        }
      }
    });
  });

  it.each([
    ['HEAD', 200],
    ['POST', 404],
  ])('is asked for by %s as on all paths', async (method, status) => {
    for (const path of paths) {
      const answers = [path, `${path}/`].map((one) => read({ path: one, method, body: [] }));
      const [plain, odd] = await Promise.all(answers);
      expect([plain?.status, odd?.status]).toEqual([status, status]);
      expect(plain?.text).not.toContain('expires_in');
      expect([...(plain?.headers.keys() ?? [])]).toEqual([...(odd?.headers.keys() ?? [])]);
    }
  });

  it('is given to nobody without the right bearer token', async () => {
    for (const path of paths) {
      for (const authorization of ['', 'Bearer wrong', `Basic ${ADMIN_TOKEN}`, ADMIN_TOKEN]) {
        const { status, text } = await read({ path, headers: { authorization } });
        expect([status, text.includes('expires_in')]).toEqual([401, false]);
      }
    }
  });

  it('costs a key one of its requests, refused or not', async () => {
    const key = await keyOf({ requestsPerMinute: 3 });
    const nobody = '/api/authorizers/wxnobody/access-token';
    const statuses = [];
    for (const path of [nobody, ...paths, nobody, ...paths]) {
      statuses.push((await read(path, key)).status);
    }
    expect(statuses).toEqual([404, 200, 200, 429, 429, 429]);
  });

  it('ends with its life, second by second', async () => {
    const [path = ''] = paths;
    const before = (await read(path)).json.expires_in as number;
    test.clock.advance(2000);
    expect((await read(path)).json.expires_in).toBe(before - 2);
  });

  it('is gone at once when its platform is disabled', async () => {
    await test.hub.patch(`/admin/components/${PLATFORM}`, { enabled: false });
    for (const path of paths) expect((await read(path)).status).toBe(403);
    await test.hub.patch(`/admin/components/${PLATFORM}`, { enabled: true });
    for (const path of paths) expect((await read(path)).status).toBe(200);
  });
});
