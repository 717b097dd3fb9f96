import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';

/** Keys, and what a read by one of them is answered with. */
const KEYS: [string, object, number][] = [
  ['that may read tokens', {}, 200],
  ['that may do everything', { scopes: ['admin'] }, 200],
  ['without the scope', { scopes: ['token:refresh', 'proxy'] }, 403],
  ['of another network', { networks: ['192.0.2.0/24'] }, 403],
  ['of other platforms', { componentAppIds: ['wxother'] }, 403],
  ['of other accounts', { authorizerAppIds: ['wxother'] }, 403],
];

/** Paths that say the same: the routes of the framework take all but the first. */
const WAYS: [string, (path: string) => string][] = [
  ['as services write it', (path) => path],
  ['with a slash at its end', (path) => `${path}/`],
  ['with slashes doubled', (path) => path.replaceAll('/', '//')],
  ['in capitals', (path) => path.replace('/api/', '/Api/')],
  ['with an empty query', (path) => `${path}?`],
];

/** Reads of a token are answered before the framework; the answers do not show it. */
describe.each(databaseKinds())('a token that is in memory on %s', (kind) => {
  let test: TestApp;
  let paths: string[];
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    paths = [
      `/api/components/${PLATFORM}/access-token`,
      `/api/authorizers/${account}/access-token`,
    ];
    for (const path of paths) await test.hub.get(path);
  });
  afterAll(() => test.close());

  const read = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(test.hub.url + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers } });

  /** The query leads through the pipeline of the framework, and changes nothing. */
  const LONG_WAY = `?component=${PLATFORM}`;

  it('is answered as the long way answers it, with the same headers', async () => {
    for (const path of paths) {
      const [long, short] = [await read(path + LONG_WAY), await read(path)];
      expect(await short.json()).toEqual(await long.json());
      const names = (answer: Response): string[] => [...answer.headers.keys()];
      expect(names(short)).toEqual(names(long));
      expect(short.headers.get('content-type')).toBe(long.headers.get('content-type'));
      expect(short.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it.each(['unknown', 'un%20known', 'x'.repeat(64), 'x'.repeat(65)])(
    'is refused as the long way refuses it for the account and platform %s',
    async (appid) => {
      for (const collection of ['components', 'authorizers']) {
        const path = `/api/${collection}/${appid}/access-token`;
        const [long, short] = [await read(path + LONG_WAY), await read(path)];
        expect(short.status).toBe(long.status);
        expect(short.status).toBeGreaterThanOrEqual(400);
        const { error } = (await short.json()) as { error: { code: string; id: string } };
        expect(await long.json()).toMatchObject({ error: { code: error.code } });
        expect(short.headers.get('x-request-id')).toBe(error.id);
      }
    },
  );

  it('is given to nobody without the right bearer token', async () => {
    for (const path of paths) {
      for (const authorization of ['', 'Bearer wrong', `Basic ${ADMIN_TOKEN}`, ADMIN_TOKEN]) {
        const answer = await read(path, { authorization });
        expect(answer.status).toBe(401);
        expect(await answer.text()).not.toContain('expires_in');
      }
    }
  });

  async function keyOf(values: object): Promise<string> {
    const key = { name: 'A service', scopes: ['token:read'], ...values };
    const { status, json } = await test.hub.post('/admin/api-keys', key);
    expect(status).toBe(201);
    return json.key as string;
  }

  /** An answer and what was logged of it, without what differs from one to the next. */
  async function seen(answer: Response): Promise<object> {
    const { 'x-request-id': id = '', date, ...headers } = Object.fromEntries(answer.headers);
    const text = (await answer.text()).replaceAll(id, '');
    const lines = logLines(id).map((line) => ({ ...line, requestId: '', timestamp: 0 }));
    expect([id, date]).toEqual([expect.stringMatching(/^[\da-f-]{36}$/), expect.any(String)]);
    return { status: answer.status, headers, text, lines };
  }

  it.each(KEYS)('is read by a key %s the same way on all paths', async (_, values, status) => {
    const authorization = `Bearer ${await keyOf(values)}`;
    for (const path of paths) {
      const answers = [];
      for (const [, way] of WAYS) {
        const answer = await read(way(path), { authorization });
        expect(answer.status).toBe(status);
        // What a stranger is refused with is logged a few times a minute.
        answers.push({ ...(await seen(answer)), lines: [] });
      }
      expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
    }
  });

  it('that nobody has is refused, logged and counted the same way on all paths', async () => {
    const authorization = `Bearer ${await keyOf({})}`;
    const route = '/api/authorizers/:authorizerAppId/access-token';
    const before = await counted(route, 404);
    const answers = [];
    for (const [, way] of WAYS) {
      const answer = await read(way('/api/authorizers/wxnobody/access-token'), { authorization });
      answers.push(await seen(answer));
    }
    const [first] = answers;
    expect(first).toMatchObject({ status: 404, lines: [{ code: 'authorizer_unknown', route }] });
    for (const answer of answers) expect(answer).toEqual(first);
    // A text of the metrics is shared by all who ask within a moment.
    await expect.poll(() => counted(route, 404)).toBe(before + WAYS.length);
  });

  it('costs a key one of its requests, refused or not', async () => {
    const authorization = `Bearer ${await keyOf({ requestsPerMinute: 3 })}`;
    const nobody = '/api/authorizers/wxnobody/access-token';
    const statuses = [];
    for (const path of [nobody, ...paths, nobody, ...paths]) {
      statuses.push((await read(path, { authorization })).status);
    }
    expect(statuses).toEqual([404, 200, 200, 429, 429, 429]);
  });

  it('ends with its life, second by second', async () => {
    const [path] = paths as [string, string];
    const before = (await (await read(path)).json()) as { expires_in: number };
    test.clock.advance(2000);
    const after = (await (await read(path)).json()) as { expires_in: number };
    expect(after.expires_in).toBe(before.expires_in - 2);
  });

  /** How many reads of the route were answered with a status. */
  async function counted(route: string, status: number): Promise<number> {
    const { text } = await test.hub.get('/metrics');
    const labels = `method="GET",route="${route}",status="${status}"`;
    const line = text
      .split('\n')
      .find((one) => one.startsWith(`hub_http_request_duration_seconds_count{${labels}}`));
    return Number(line?.split(' ')[1] ?? 0);
  }

  it('is counted like every other answer', async () => {
    const route = '/api/components/:componentAppId/access-token';
    await expect.poll(() => counted(route, 200)).toBeGreaterThanOrEqual(4);
    const before = await counted(route, 200);
    for (const [, way] of WAYS) await read(way(paths[0] ?? ''));
    await expect.poll(() => counted(route, 200)).toBe(before + WAYS.length);
  });

  it('is gone at once when its platform is disabled', async () => {
    await test.hub.patch(`/admin/components/${PLATFORM}`, { enabled: false });
    for (const path of paths) expect((await read(path)).status).toBe(403);
    await test.hub.patch(`/admin/components/${PLATFORM}`, { enabled: true });
    for (const path of paths) expect((await read(path)).status).toBe(200);
  });
});
