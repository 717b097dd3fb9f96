import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawRequest } from '../support/http-exchange.js';
import { operations, type Operation } from '../support/openapi-document.js';
import { expectRefusal, storedState, withTicketAndToken } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN, COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const UNAUTHORIZED = { status: 401, code: 'unauthorized' };
const SECRETS = [COMPONENT.appsecret, COMPONENT.token, COMPONENT.encodingAesKey];

describe.each(databaseKinds())('the REST interface on %s', (kind) => {
  let test: TestApp;
  let all: Operation[];
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await withTicketAndToken(test, appid);
    all = await operations(test.hub);
  });
  afterAll(() => test.close());

  const guarded = (): Operation[] =>
    all.filter(({ path, 'x-scope': scope }) => /^\/(admin|api)\//.test(path) && scope !== 'none');

  it.each([
    ['no token', undefined],
    ['a wrong token', `Bearer ${ADMIN_TOKEN}x`],
    ['an empty token', 'Bearer '],
    ['a token in other case', `Bearer ${ADMIN_TOKEN.toUpperCase()}`],
    ['another scheme', `Basic ${Buffer.from(`admin:${ADMIN_TOKEN}`).toString('base64')}`],
    ['the token without a scheme', ADMIN_TOKEN],
    ['two tokens', `Bearer ${ADMIN_TOKEN} ${ADMIN_TOKEN}`],
  ])('refuses every route of /admin and /api with %s', async (_, authorization) => {
    expect(guarded().length).toBeGreaterThanOrEqual(13);
    const before = await storedState(test);
    test.simulator.clearCalls();
    for (const { method, path } of guarded()) {
      // More in a minute would be refused as too many.
      test.clock.advance(4000);
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await rawRequest(test.hub.url, {
        method,
        path: `${path}?reveal=true&access_token=${ADMIN_TOKEN}`,
        headers: { ...headers, 'content-type': 'application/json' },
        body: method === 'GET' ? '' : JSON.stringify({ token: 'x', enabled: false }),
      });
      expectRefusal(answer, UNAUTHORIZED);
      expect(answer.text).not.toContain(ADMIN_TOKEN);
    }
    expect(await storedState(test)).toEqual(before);
    expect(test.simulator.callSummary().total).toBe(0);
  });

  it('documents that they need the token, and what comes without', () => {
    for (const { method, path, security, responses } of guarded()) {
      expect([method, path, security]).toEqual([method, path, [{ bearer: [] }]]);
      expect(Object.keys(responses)).toContain('401');
    }
  });

  it('takes the token whatever the case of the scheme', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const headers = { authorization: `${scheme} ${ADMIN_TOKEN}` };
      expect((await test.hub.request('GET', '/admin/tickets', { headers })).status).toBe(200);
    }
  });

  it('answers every documented read, with a documented status', async () => {
    const reads = all.filter(({ method }) => method === 'GET');
    for (const { method, path, responses } of reads) {
      // The page of consent is at WeChat.
      const { status } = await test.hub.request('GET', path, { redirect: 'manual' });
      expect([method, path, Object.keys(responses)]).toEqual([
        method,
        path,
        expect.arrayContaining([String(status)]),
      ]);
    }
  });

  it('documents every answer by a schema and an example', () => {
    expect(all.length).toBeGreaterThanOrEqual(18);
    for (const { method, path, responses } of all) {
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
      for (const [status, { content = {} }] of Object.entries(responses)) {
        // A redirection has no body.
        if (status.startsWith('3')) continue;
        const [{ schema, example } = {}] = Object.values(content);
        const where = `${method} ${path} ${status}`;
        expect([where, Object.keys(schema ?? {}).length > 0]).toEqual([where, true]);
        expect([where, (example ?? schema?.example) !== undefined]).toEqual([where, true]);
      }
    }
  });

  it('documents the status that adding a component has', async () => {
    const { appsecret: appSecret, token, encodingAesKey } = COMPONENT;
    const body = { componentAppId: 'wxfedcba9876543210', appSecret, token, encodingAesKey };
    const added = await test.hub.post('/admin/components', body);
    const documented = all.find(
      ({ method, path }) => `${method}${path}` === 'POST/admin/components',
    );
    expect(Object.keys(documented?.responses ?? {})).toContain(String(added.status));
  });

  it('says how the hub is set up, and of secrets only that they are set', async () => {
    const { status, json, text } = await test.hub.get('/admin/instance');
    expect([status, json.database, json.version]).toEqual([200, kind, '0.1.0']);
    expect(json.urls.events).toBe(`${json.publicUrl}/callback/{componentAppId}/events`);
    expect(json.settings).toContainEqual(
      expect.objectContaining({ name: 'ADMIN_TOKEN', source: 'environment', value: 'set' }),
    );
    for (const secret of [...SECRETS, ADMIN_TOKEN]) expect(text).not.toContain(secret);
  });

  it('shows its documentation', async () => {
    const page = await rawRequest(test.hub.url, { method: 'GET', path: '/docs' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(page.text).toContain('swagger-ui');
    const { json } = await test.hub.get('/docs-json');
    expect(json.openapi).toMatch(/^3\./);
    expect(json.info.title).toBe('component-hub');
  });

  describe('shows secrets', () => {
    const views: [string, string, () => Promise<unknown>][] = [
      ['ticket', `/admin/tickets/${appid}`, async () => (await test.hub.ticket()).json],
      ['ticket in the list', '/admin/tickets', async () => (await test.hub.ticket()).json],
      ['token', `/admin/tokens/${appid}`, async () => (await test.hub.accessToken()).json],
      ['token in the list', '/admin/tokens', async () => (await test.hub.accessToken()).json],
    ];
    const secretOf = async (read: () => Promise<unknown>): Promise<string> => {
      const json = (await read()) as Record<string, string>;
      return json.componentVerifyTicket ?? json.component_access_token ?? '';
    };

    it.each(views)('masked: the %s', async (_, path, read) => {
      const secret = await secretOf(read);
      expect(secret.length).toBeGreaterThan(50);
      for (const query of ['', '?reveal=false']) {
        const { status, text } = await test.hub.get(path + query);
        expect(status).toBe(200);
        expect(text).toContain(`****${secret.slice(-4)}`);
        expect(text).not.toContain(secret.slice(-5));
      }
    });

    it.each(views)('when asked, and leaves a record: the %s', async (name, path, read) => {
      const secret = await secretOf(read);
      const before = (await storedState(test)).audit;
      const revealed = await test.hub.get(`${path}?reveal=true`);
      expect(revealed.text).toContain(secret);
      const after = (await storedState(test)).audit;
      expect(after).toHaveLength(before.length + 1);
      const record = after.find(({ id }) => !before.some((old) => old.id === id));
      expect(record).toMatchObject({
        action: `${name.split(' ')[0]}.reveal`,
        target: path.endsWith(appid) ? appid : '*',
        request_id: revealed.headers.get('x-request-id'),
        source_address: '127.0.0.1',
      });
      expect(JSON.stringify(record)).not.toContain(secret);
    });

    it.each(views)('never, where no record can be made: the %s', async (_, path, read) => {
      const secret = await secretOf(read);
      const database = test.app.get(DataSource);
      await database.query('ALTER TABLE audit_record RENAME TO audit_record_away');
      const answer = await test.hub.get(`${path}?reveal=true`);
      await database.query('ALTER TABLE audit_record_away RENAME TO audit_record');
      expectRefusal(answer, { status: 500, code: 'internal_error' });
      expect(answer.text).not.toContain(secret);
    });

    it.each(['TRUE', '1', 'yes', ''])('not for reveal=%s', async (reveal) => {
      const answer = await test.hub.get(`/admin/tickets/${appid}?reveal=${reveal}`);
      expectRefusal(answer, { status: 400, code: 'bad_request' });
    });

    it('of components never', async () => {
      const answers = [
        await test.hub.get('/admin/components'),
        await test.hub.get(`/admin/components/${appid}?reveal=true`),
        await test.hub.patch(`/admin/components/${appid}`, { token: COMPONENT.token }),
      ];
      for (const { status, text } of answers) {
        expect(status).toBe(200);
        for (const secret of SECRETS) expect(text).not.toContain(secret);
      }
    });
  });

  const component = (fields: object): string =>
    JSON.stringify({ componentAppId: 'wxabcdef0123456789', ...fields });

  it.each<[string, string, string, string | undefined, string | undefined, number, string]>([
    ['no such route', 'GET', '/nothing', undefined, undefined, 404, 'not_found'],
    ['no such method', 'PUT', '/admin/tickets', '{}', 'application/json', 404, 'not_found'],
    ['a malformed path', 'GET', '/admin/%zz', undefined, undefined, 400, 'bad_request'],
    [
      'a long appid',
      'GET',
      `/admin/tickets/${'a'.repeat(99)}`,
      undefined,
      undefined,
      400,
      'bad_request',
    ],
    [
      'an endless appid',
      'GET',
      `/admin/tickets/${'a'.repeat(999)}`,
      undefined,
      undefined,
      414,
      'uri_too_long',
    ],
    [
      'an unknown appid',
      'GET',
      '/admin/tickets/wxffff',
      undefined,
      undefined,
      404,
      'component_unknown',
    ],
    ['no body', 'POST', '/admin/components', '', 'application/json', 400, 'bad_request'],
    [
      'broken JSON',
      'POST',
      '/admin/components',
      '{"appSecret":"fake-leaky",,}',
      'application/json',
      400,
      'bad_request',
    ],
    [
      'a prototype',
      'POST',
      '/admin/components',
      '{"__proto__":{"x":1}}',
      'application/json',
      400,
      'bad_request',
    ],
    ['a list', 'POST', '/admin/components', '[]', 'application/json', 400, 'bad_request'],
    [
      'wrong fields',
      'POST',
      '/admin/components',
      component({ appSecret: ['fake-leaky'] }),
      'application/json',
      400,
      'bad_request',
    ],
    [
      'unknown fields',
      'PATCH',
      `/admin/components/${appid}`,
      '{"tokn":"fake-leaky"}',
      'application/json',
      400,
      'bad_request',
    ],
    [
      'XML',
      'POST',
      '/admin/components',
      '<xml>fake-leaky</xml>',
      'text/xml',
      415,
      'unsupported_media_type',
    ],
    [
      '2 MiB',
      'POST',
      '/admin/components',
      'x'.repeat(2 ** 21),
      'application/json',
      413,
      'body_too_large',
    ],
  ])('answers %s by an error with its id, repeating nothing', async (...row) => {
    const [, method, path, body, type, status, code] = row;
    const headers = {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      ...(type === undefined ? {} : { 'content-type': type }),
    };
    const before = await storedState(test);
    const answer: Answer = await rawRequest(test.hub.url, { method, path, body, headers });
    expectRefusal(answer, { status, code });
    expect(Object.keys(answer.json)).toEqual(['error']);
    expect(answer.text).not.toContain('fake-leaky');
    const { audit, ...after } = await storedState(test);
    expect({ ...after, audit: before.audit }).toEqual(before);
    expect(JSON.stringify(audit)).not.toContain('fake-leaky');
  });

  it('takes a request without a body whose header names a type', async () => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
    const path = `/admin/tokens/${appid}/refresh`;
    expect((await rawRequest(test.hub.url, { path, headers })).status).toBe(200);
  });

  it('gives an id of its own, whatever the caller sends', async () => {
    const headers = { 'x-request-id': 'forged' };
    const answers = [1, 2].map(() => test.hub.request('GET', '/health/live', { headers }));
    const ids = (await Promise.all(answers)).map((answer) => answer.headers.get('x-request-id'));
    expect(new Set(ids).size).toBe(2);
    expect(ids).not.toContain('forged');
  });
});
