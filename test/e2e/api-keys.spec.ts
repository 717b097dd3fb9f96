import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { SCOPES, type ScopeName } from '../../src/auth/scope.js';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { secondHub, sql } from '../support/token-world.js';

const OTHER_PLATFORM = 'wxfedcba9876543210';
const METRICS_TOKEN = 'fake-metrics-token-of-the-tests';

interface Route {
  method: string;
  /** As the API document has it. */
  path: string;
  scope?: string;
}

/** Whether a route wants a bearer; at /wx a key is an SDK's secret: `wx-account.spec.ts`. */
function byBearer({ scope, path }: Route): boolean {
  return scope !== 'none' && !path.startsWith('/wx/');
}

/** Routes with the values of a table in the place of their parameters. */
function pathOf({ path }: Route, values: Record<string, string> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? PLATFORM);
}

describe.each(databaseKinds())('API keys on %s', (kind) => {
  let test: TestApp;
  let routes: Route[];
  let account: string;
  let otherAccount: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind, env: { METRICS_TOKEN } });
    account = newAccount(test);
    otherAccount = newAccount(test);
    for (const one of [account, otherAccount]) await authorizeByEvent(test, one);
    const { json } = await test.hub.get('/docs-json');
    routes = Object.entries<Record<string, { 'x-scope'?: string }>>(json.paths).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({
          method: method.toUpperCase(),
          path,
          scope: operation['x-scope'],
        })),
    );
  });
  afterAll(() => test.close());

  const make = async (values: object = {}): Promise<{ id: string; key: string }> => {
    const answer = await test.hub.post('/admin/api-keys', {
      name: 'A service',
      scopes: ['token:read'],
      ...values,
    });
    expect([answer.status, answer.text]).toEqual([201, answer.text]);
    return answer.json;
  };
  const ask = (key: string, path: string, method = 'GET', hub = test.hub): Promise<Answer> =>
    hub.request(method, path, {
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: method === 'GET' ? undefined : '{}',
    });
  const codeOf = ({ json }: Answer): string | undefined => json?.error?.code;
  const tokenPath = (): string => `/api/authorizers/${account}/access-token`;
  /** Asks a route; why it does not let the key in, or undefined where it does. */
  const shutOut = async (key: string, route: Route, path = pathOf(route)): Promise<unknown> => {
    const { status, json } = await ask(key, path, route.method);
    const { code, scope, missing } = json?.error ?? {};
    const isRefusal = ['missing_scope', 'not_allowed', 'unauthorized'].includes(code);
    return isRefusal ? { status, code, scope, missing } : undefined;
  };

  it('name for every route of the API document the scope that it wants, or none', () => {
    expect(routes.length).toBeGreaterThanOrEqual(50);
    for (const { method, path, scope } of routes) {
      expect([method, path, [...SCOPES, 'none']]).toEqual([
        method,
        path,
        expect.arrayContaining([scope]),
      ]);
      const isSignIn = method === 'POST' && /^\/admin\/session(\/invitation)?$/.test(path);
      const isOpen = isSignIn || /^\/(callback|health|authorize|wx\/connect)\//.test(path);
      expect([method, path, scope === 'none']).toEqual([method, path, isOpen]);
    }
  });

  it.each(SCOPES)('with the scope %s open its routes, and say what others want', async (scope) => {
    const { key } = await make({ scopes: [scope] });
    for (const route of routes.filter(byBearer)) {
      const isEnough =
        scope === 'admin' ||
        scope === route.scope ||
        (scope === 'admin:read' && `${route.method}${route.path}` === 'GET/admin/events');
      expect([route, await shutOut(key, route)]).toEqual([
        route,
        isEnough ? undefined : { status: 403, code: 'missing_scope', scope: route.scope },
      ]);
    }
  });

  it('show no secret without the scope admin', async () => {
    const { key } = await make({ scopes: SCOPES.filter((scope) => scope !== 'admin') });
    for (const path of ['/admin/tickets', '/admin/tokens', `/admin/tokens/${PLATFORM}`]) {
      expect((await ask(key, path)).status).toBe(200);
      for (const reveal of ['true', 'TRUE', 'true&reveal=true', '']) {
        const answer = await ask(key, `${path}?reveal=${reveal}`);
        expect([answer.status, answer.json]).toMatchObject([
          403,
          { error: { code: 'missing_scope', scope: 'admin' } },
        ]);
      }
    }
  });

  const LIMITS = [
    {
      field: 'authorizerAppIds',
      name: 'authorizerAppId',
      missing: 'account',
      own: () => account,
      others: () => [otherAccount, 'wxnobody', account.toUpperCase()],
    },
    {
      field: 'componentAppIds',
      name: 'componentAppId',
      missing: 'platform',
      own: () => PLATFORM,
      others: () => [OTHER_PLATFORM, PLATFORM.toUpperCase()],
    },
  ];
  it.each(LIMITS)('limited by $field get to no route but those of these', async (limit) => {
    const { field, name, missing, own, others } = limit;
    const scopes: ScopeName[] = ['admin'];
    const { key } = await make({ scopes, [field]: [own()] });
    const guarded = routes.filter(byBearer);
    const ofOne = guarded.filter(({ path }) => path.includes(`{${name}}`));
    expect(ofOne.length).toBeGreaterThanOrEqual(6);
    for (const route of guarded) {
      const opens = ofOne.includes(route);
      const wanted = opens ? undefined : { status: 403, code: 'not_allowed', missing };
      const at = { [name]: own() };
      expect([route, await shutOut(key, route, pathOf(route, at))]).toEqual([route, wanted]);
      if (!opens) continue;
      for (const other of others()) {
        const refused = await shutOut(key, route, pathOf(route, { [name]: other }));
        expect([route, refused]).toEqual([route, { status: 403, code: 'not_allowed', missing }]);
      }
    }
    for (const path of [
      '/docs',
      '/metrics',
      '/admin/events?component=',
      '/admin/authorizers?component=',
    ]) {
      const answer = await ask(key, path.endsWith('=') ? path + PLATFORM : path);
      expect([path, answer.status]).toEqual([path, path === '/docs' ? 200 : 403]);
    }
  });

  it('limited to a platform read tokens of accounts by its name', async () => {
    const { key } = await make({ componentAppIds: [PLATFORM] });
    expect((await ask(key, `${tokenPath()}?component=${PLATFORM}`)).status).toBe(200);
    for (const query of [
      '',
      `?component=${OTHER_PLATFORM}`,
      `?component=${PLATFORM}&component=x`,
    ]) {
      expect(codeOf(await ask(key, tokenPath() + query))).toBe('not_allowed');
    }
  });

  it('limited to an account do not show which others there are', async () => {
    const { key } = await make({ authorizerAppIds: [account] });
    const texts = await Promise.all(
      [otherAccount, 'wxnobody'].map(async (appid) => {
        const answer = await ask(key, `/api/authorizers/${appid}/access-token`);
        return answer.text.replace(answer.json.error.id, '');
      }),
    );
    expect(texts[0]).toBe(texts[1]);
    expect((await ask(key, tokenPath())).status).toBe(200);
  });

  it('are shown once, go unescaped into URLs and file names, and are kept as a hash', async () => {
    const { id, key } = await make();
    expect(key).toMatch(/^[\w-]{1,128}$/);
    expect(key).toContain(id);
    const secret = key.slice(-43);
    const shown = [
      await test.hub.get('/admin/api-keys'),
      await test.hub.get(`/admin/api-keys/${id}`),
      await test.hub.patch(`/admin/api-keys/${id}`, { name: 'Another name' }),
      await ask(key, '/admin/tickets'),
    ];
    for (const { text } of shown) expect(text).not.toContain(secret);
    const rows = JSON.stringify(await sql(test).query('SELECT * FROM api_key'));
    expect(rows).toContain('Another name');
    expect(rows).not.toContain(secret);
  });

  it.each<[string, (key: string) => string]>([
    ['another secret', (key) => `${key.slice(0, -43)}${'x'.repeat(43)}`],
    ['another id', (key) => key.replace(/_[0-9a-f]{20}_/, `_${'0'.repeat(20)}_`)],
    ['a shorter key', (key) => key.slice(0, -1)],
    ['a longer key', (key) => `${key}x`],
    ['upper case', (key) => key.toUpperCase()],
  ])('are wrong with %s', async (_, change) => {
    test.clock.advance(60_000);
    const { key } = await make();
    const answer = await ask(change(key), tokenPath());
    expect([answer.status, codeOf(answer)]).toEqual([401, 'unauthorized']);
    expect((await ask(key, tokenPath())).status).toBe(200);
  });

  it('that are wrong are braked by sender, and right ones of the same sender are not', async () => {
    test.clock.advance(60_000);
    const { key } = await make();
    const wrong = `${key.slice(0, -43)}${'x'.repeat(43)}`;
    for (let count = 0; count < 20; count += 1) {
      expect((await ask(wrong, tokenPath())).status).toBe(401);
    }
    const braked = await ask(wrong, tokenPath());
    expect([braked.status, codeOf(braked)]).toEqual([429, 'too_many_attempts']);
    expect(Number(braked.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask(key, tokenPath())).status).toBe(200);
    expect((await test.hub.get(tokenPath())).status).toBe(200);
    test.clock.advance(60_000);
    expect((await ask(wrong, tokenPath())).status).toBe(401);
  });

  it('are accepted from their networks only', async () => {
    const inside = await make({ networks: ['10.0.0.0/8', '127.0.0.1'] });
    expect((await ask(inside.key, tokenPath())).status).toBe(200);
    const outside = await make({ networks: ['10.0.0.0/8', '2001:db8::/32'] });
    const answer = await ask(outside.key, tokenPath());
    expect([answer.status, answer.json]).toMatchObject([
      403,
      { error: { code: 'not_allowed', missing: 'network' } },
    ]);
  });

  it('have so many requests a minute', async () => {
    const { key } = await make({ requestsPerMinute: 3 });
    for (let count = 0; count < 3; count += 1) {
      expect((await ask(key, tokenPath())).status).toBe(200);
    }
    const spent = await ask(key, tokenPath());
    expect([spent.status, codeOf(spent)]).toEqual([429, 'rate_limited']);
    const wait = Number(spent.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(0);
    test.clock.advance(wait * 1000);
    expect((await ask(key, tokenPath())).status).toBe(200);
  });

  it('end when they expire', async () => {
    const expiresAt = new Date(test.clock.now() + 5000).toISOString();
    const { id, key } = await make({ expiresAt });
    expect((await ask(key, tokenPath())).status).toBe(200);
    test.clock.advance(5000);
    const answer = await ask(key, tokenPath());
    expect([answer.status, codeOf(answer)]).toEqual([401, 'key_expired']);
    await test.hub.patch(`/admin/api-keys/${id}`, { expiresAt: null });
    expect((await ask(key, tokenPath())).status).toBe(200);
  });

  it('have their last use, written once a minute', async () => {
    const { id, key } = await make();
    const lastUse = async (): Promise<string | null> =>
      (await test.hub.get(`/admin/api-keys/${id}`)).json.lastUsedAt;
    expect(await lastUse()).toBeNull();
    const first = new Date(test.clock.now()).toISOString();
    await ask(key, tokenPath());
    await eventually('the use', async () => ((await lastUse()) === first ? true : undefined));
    test.clock.advance(30_000);
    await ask(key, tokenPath());
    test.clock.advance(30_000);
    const second = new Date(test.clock.now()).toISOString();
    await ask(key, tokenPath());
    await eventually('the use', async () => ((await lastUse()) === second ? true : undefined));
  });

  it('that are known are accepted while the database gives no answer', async () => {
    const { key } = await make();
    const { key: unseen } = await make();
    expect((await ask(key, tokenPath())).status).toBe(200);
    await sql(test).query('ALTER TABLE api_key RENAME TO api_key_away');
    test.clock.advance(10_000);
    const answers = [await ask(key, tokenPath()), await ask(unseen, tokenPath())];
    await sql(test).query('ALTER TABLE api_key_away RENAME TO api_key');
    expect(answers.map(({ status }) => status)).toEqual([200, 500]);
  });

  it('are replaced with an overlap', async () => {
    const { id, key } = await make();
    const rotate = (overlapSeconds: number): Promise<Answer> =>
      test.hub.post(`/admin/api-keys/${id}/rotate`, { overlapSeconds });
    const second = (await rotate(60)).json.key as string;
    expect(second).not.toBe(key);
    expect((await ask(key, tokenPath())).status).toBe(200);
    expect((await ask(second, tokenPath())).status).toBe(200);
    test.clock.advance(60_000);
    expect((await ask(key, tokenPath())).status).toBe(401);
    const third = (await rotate(0)).json.key as string;
    expect((await ask(second, tokenPath())).status).toBe(401);
    expect((await ask(third, tokenPath())).status).toBe(200);
  });

  it('leave their id in the audit trail', async () => {
    const { id, key } = await make({ scopes: ['token:refresh'] });
    const path = `/api/components/${PLATFORM}/access-token/invalidate`;
    const body = JSON.stringify({ token: 'fake-token' });
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    expect((await test.hub.request('POST', path, { headers, body })).status).toBe(200);
    const { json } = await test.hub.get(`/admin/audit?actor=key:${id}`);
    expect(json.records).toMatchObject([
      { actor: `key:${id}`, action: 'token.invalidate', target: PLATFORM, outcome: 'ok' },
    ]);
    await test.hub.request('DELETE', `/admin/api-keys/${id}`);
    const made = await test.hub.get(`/admin/audit?target=${id}`);
    expect(made.json.records).toMatchObject([{ actor: 'admin', action: 'api_key.revoke' }]);
  });

  it('are listed page by page, newest first', async () => {
    test.clock.advance(1);
    const { id } = await make({ name: 'The newest' });
    const first = await test.hub.get('/admin/api-keys?limit=1');
    expect(first.json).toMatchObject({ keys: [{ id, name: 'The newest' }], next: id });
    const second = await test.hub.get(`/admin/api-keys?limit=1&before=${id}`);
    expect(second.json.keys).toHaveLength(1);
    expect(second.json.keys[0].id).not.toBe(id);
  });

  it.each<[string, string, string, object, number, string]>([
    ['no scope', 'POST', '', { name: 'x', scopes: [] }, 400, 'bad_request'],
    ['an unknown scope', 'POST', '', { name: 'x', scopes: ['root'] }, 400, 'bad_request'],
    ['no name', 'POST', '', { name: ' ', scopes: ['admin'] }, 400, 'bad_request'],
    ['a name that turns', 'POST', '', { name: 'a\u202eb', scopes: ['admin'] }, 400, 'bad_request'],
    [
      'no network',
      'POST',
      '',
      { name: 'x', scopes: ['admin'], networks: ['all'] },
      400,
      'bad_request',
    ],
    [
      'all networks by name',
      'POST',
      '',
      { name: 'x', scopes: ['admin'], networks: ['10.0.0.0/8', '::/0'] },
      400,
      'bad_request',
    ],
    [
      'an empty list',
      'POST',
      '',
      { name: 'x', scopes: ['admin'], networks: [] },
      400,
      'bad_request',
    ],
    [
      'an unknown field',
      'POST',
      '',
      { name: 'x', scopes: ['admin'], account: 'x' },
      400,
      'bad_request',
    ],
    ['a change of what there is not', 'PATCH', '/x', { name: 'x' }, 404, 'api_key_unknown'],
    ['a rotation of what there is not', 'POST', '/x/rotate', {}, 404, 'api_key_unknown'],
    ['an endless overlap', 'POST', '/x/rotate', { overlapSeconds: 1e9 }, 400, 'bad_request'],
    ['a revocation of what there is not', 'DELETE', '/x', {}, 404, 'api_key_unknown'],
  ])('are not made or changed with %s', async (_, method, path, body, status, code) => {
    const answer = await test.hub.request(method, `/admin/api-keys${path}`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  it('open /metrics, which a token of its own opens, too, and nothing else', async () => {
    const { key } = await make({ scopes: ['admin:read'] });
    for (const bearer of [key, METRICS_TOKEN, ADMIN_TOKEN]) {
      expect((await ask(bearer, '/metrics')).status).toBe(200);
    }
    for (const method of ['GET', 'HEAD']) {
      const headers = { authorization: 'Bearer fake-wrong' };
      expect((await test.hub.request(method, '/metrics', { headers })).status).toBe(401);
    }
    expect((await ask(METRICS_TOKEN, '/admin/tickets')).status).toBe(401);
  });

  it('that are revoked or changed on one host are so on the other within 5 s', async () => {
    const other = await secondHub(test);
    try {
      const { id, key } = await make({ scopes: ['admin:read'] });
      const there = (): Promise<Answer> => ask(key, '/admin/tickets', 'GET', other.hub);
      expect((await there()).status).toBe(200);
      await test.hub.patch(`/admin/api-keys/${id}`, { scopes: ['token:read'] });
      expect(codeOf(await ask(key, '/admin/tickets'))).toBe('missing_scope');
      test.clock.advance(4500);
      expect(codeOf(await there())).toBe('missing_scope');
      const next = (await test.hub.post(`/admin/api-keys/${id}/rotate`, { overlapSeconds: 0 }))
        .json;
      expect((await ask(key, '/admin/tickets')).status).toBe(401);
      test.clock.advance(4500);
      expect((await there()).status).toBe(401);
      await test.hub.request('DELETE', `/admin/api-keys/${id}`);
      expect(codeOf(await ask(next.key, tokenPath()))).toBe('key_revoked');
      test.clock.advance(4500);
      const revoked = await ask(next.key, tokenPath(), 'GET', other.hub);
      expect([revoked.status, codeOf(revoked)]).toEqual([401, 'key_revoked']);
      const again = await test.hub.request('DELETE', `/admin/api-keys/${id}`);
      expect([again.status, codeOf(again)]).toEqual([409, 'api_key_revoked']);
    } finally {
      await other.close();
    }
  });
});
