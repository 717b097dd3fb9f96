import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operations } from '../support/openapi-document.js';
import { expectRefusal } from '../support/callback-state.js';
import {
  addOperator,
  ConsoleClient,
  cookieIn,
  send,
  signIn,
  valueIn,
} from '../support/console-world.js';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../support/databases.js';
import { ADMIN_TOKEN, COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, secondHub, SECOND, sql } from '../support/token-world.js';

const OTHER_TOKEN = 'another-admin-token-of-tests';
const { appid } = COMPONENT;

const ended = (answer: Answer): void =>
  expectRefusal(answer, { status: 401, code: 'session_ended' });

describe.each(databaseKinds())('sessions of the console on %s', (kind) => {
  let database: TestDatabase;
  let test: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    test = await createTestApp({ database });
    other = await secondHub(test);
  });
  afterAll(async () => {
    await other.close();
    await test.close();
    await database.drop();
  });

  it('open by the admin token and a name, at every host, under a cookie for /admin alone', async () => {
    const { answer, console } = await signIn(test.hub);
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({
      kind: 'token',
      actor: 'admin',
      name: 'Ada',
      role: 'owner',
    });
    expect(answer.headers.get('set-cookie')).toMatch(
      /^hub_session=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/admin; Max-Age=43200$/,
    );
    const https = { origin: 'https://hub.example', 'sec-fetch-site': 'same-origin' };
    const secure = await signIn(test.hub, { token: ADMIN_TOKEN, name: 'Ada' }, https);
    expect(secure.answer.headers.get('set-cookie')).toMatch(/; Secure$/);
    const { sessionId } = answer.json;
    for (const one of [console, console.at(other.hub)]) {
      expect((await one.get('/admin/session')).json).toMatchObject({ sessionId, role: 'owner' });
      expect((await one.get('/admin/components')).status).toBe(200);
    }
    const stored = JSON.stringify(await sql(test).query('SELECT * FROM admin_session'));
    expect(stored).toContain(sessionId);
    expect(stored).not.toContain(console.cookie.split('=')[1]);
    for (const path of [`/api/components/${appid}/access-token`, `/proxy/components/${appid}/x`]) {
      expectRefusal(await console.get(path), { status: 401, code: 'unauthorized' });
    }
    expect((await console.get('/wx/cgi-bin/token')).json.errcode).toBeGreaterThan(0);
  });

  it('do not open to a bearer what is not the bearer’s', async () => {
    const { json } = await test.hub.get('/admin/session');
    expect(json).toMatchObject({ kind: 'token', actor: 'admin', name: null, role: null });
    for (const [method, path] of [
      ['DELETE', '/admin/session'],
      ['POST', '/admin/session/confirm'],
    ] as const) {
      const body = method === 'POST' ? { token: ADMIN_TOKEN } : undefined;
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
      const answer = await send(test.hub, method, path, body, headers);
      expectRefusal(answer, { status: 400, code: 'no_session' });
    }
  });

  it('write only for pages of the hub itself, in JSON', async () => {
    const { console } = await signIn(test.hub);
    const { host } = new URL(test.hub.url);
    const patch = (headers: Record<string, string>, body: unknown = { name: 'A' }) =>
      console.request('PATCH', `/admin/components/${appid}`, body, headers);
    const own: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin', origin: 'https://behind.a.proxy' },
      { origin: `http://${host}` },
      { origin: `https://${host}` },
    ];
    for (const headers of own) expect((await patch(headers)).status).toBe(200);
    const others: Record<string, string>[] = [
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: `http://${host}` },
      { 'sec-fetch-site': 'none' },
      { origin: 'http://other.example' },
      { origin: 'null' },
      { origin: `http://${host}.other.example` },
    ];
    for (const headers of others) {
      expectRefusal(await patch(headers), { status: 403, code: 'cross_origin' });
    }
    // Reads change nothing.
    expect((await console.get('/admin/components', {})).status).toBe(200);
    const headers = { 'sec-fetch-site': 'cross-site' };
    const { answer } = await signIn(test.hub, { token: ADMIN_TOKEN, name: 'Ada' }, headers);
    expectRefusal(answer, { status: 403, code: 'cross_origin' });
    const text = { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' };
    expectRefusal(await patch(text), { status: 415, code: 'unsupported_media_type' });
  });

  it('end after an hour without use, polls aside, and after 12 in any case', async () => {
    const { console: polling } = await signIn(test.hub);
    const { console: used } = await signIn(test.hub);
    const poll = { 'x-hub-background': '1' };
    for (let minutes = 0; minutes < 60; minutes += 20) {
      expect((await polling.get('/admin/session', poll)).status).toBe(200);
      expect((await used.get('/admin/session')).status).toBe(200);
      test.clock.advance(20 * MINUTE);
    }
    ended(await polling.get('/admin/session', poll));
    ended(await polling.at(other.hub).get('/admin/session'));
    expect((await used.at(other.hub).get('/admin/session')).status).toBe(200);
    for (let hours = 1; hours < 12; hours += 0.5) {
      expect((await used.get('/admin/session')).status).toBe(200);
      test.clock.advance(HOUR / 2);
    }
    ended(await used.get('/admin/session'));
  });

  it('are listed, and end by hand, everywhere within 10 s', async () => {
    const { console: mine } = await signIn(test.hub, { token: ADMIN_TOKEN, name: 'Mine' });
    const { console: theirs } = await signIn(other.hub, { token: ADMIN_TOKEN, name: 'Theirs' });
    const sessions = async (): Promise<{ id: string; name: string; current: boolean }[]> =>
      (await mine.get('/admin/sessions')).json.sessions;
    const found = (await sessions()).find(({ name }) => name === 'Theirs');
    expect(found).toMatchObject({ current: false, role: 'owner', sourceAddress: '127.0.0.1' });
    expect((await sessions()).find(({ name }) => name === 'Mine')).toMatchObject({ current: true });
    expect((await theirs.get('/admin/session')).status).toBe(200);
    expect((await mine.request('DELETE', `/admin/sessions/${found?.id}`)).status).toBe(200);
    expectRefusal(await mine.request('DELETE', `/admin/sessions/${found?.id}`), {
      status: 404,
      code: 'session_unknown',
    });
    test.clock.advance(10 * SECOND);
    for (const one of [theirs, theirs.at(test.hub)]) {
      expectRefusal(await one.get('/admin/session'), { status: 401, code: 'unauthorized' });
    }
    const out = await mine.request('DELETE', '/admin/session');
    expect(out.headers.get('clear-site-data')).toBe('"cache", "storage"');
    expect(out.headers.get('set-cookie')).toMatch(/^hub_session=; .*Path=\/admin; Max-Age=0$/);
    expectRefusal(await mine.get('/admin/session'), { status: 401, code: 'unauthorized' });
  });

  it('show and change secrets only while they are confirmed', async () => {
    const { console } = await signIn(test.hub);
    await test.simulator.pushTicket(appid);
    const reveal = `/admin/tickets/${appid}?reveal=true`;
    const key = { name: 'A service', scopes: ['token:read'] };
    expect((await console.get(reveal)).status).toBe(200);
    test.clock.advance(10 * MINUTE);
    const acts = [
      () => console.get(reveal),
      () => console.post('/admin/api-keys', key),
      () => console.request('PATCH', `/admin/components/${appid}`, { name: 'B' }),
      () => console.post('/admin/operators', { name: 'Eve', role: 'owner' }),
      () => console.post('/admin/session/links'),
    ];
    for (const act of acts) {
      expectRefusal(await act(), { status: 403, code: 'confirmation_required' });
    }
    for (const proof of [{ token: `${ADMIN_TOKEN}x` }, { password: ADMIN_TOKEN }]) {
      const answer = await console.post('/admin/session/confirm', proof);
      expectRefusal(answer, { status: 403, code: 'confirmation_failed' });
    }
    // The other host has seen the session unconfirmed.
    expect((await console.at(other.hub).get(reveal)).status).toBe(403);
    const confirmed = await console.post('/admin/session/confirm', { token: ADMIN_TOKEN });
    expect([confirmed.status, confirmed.json.confirmedUntil]).toEqual([
      200,
      new Date(test.clock.now() + 10 * MINUTE).toISOString(),
    ]);
    expect((await console.at(other.hub).get(reveal)).status).toBe(200);
    expect((await console.post('/admin/api-keys', key)).status).toBe(201);
    // Never asked of a bearer, nor for what is no secret.
    expect((await test.hub.get(reveal)).status).toBe(200);
    test.clock.advance(10 * MINUTE);
    expect((await console.get(`/admin/tickets/${appid}`)).status).toBe(200);
  });

  it('open once by a link, for a quarter of an hour', async () => {
    const made = await test.hub.post('/admin/session/links', { name: 'First use' });
    expect(made.json.link).toMatch(/^\/console\/#\/sign-in\?link=[\w-]{43}$/);
    const link = valueIn(made.json.link);
    const { answer, console } = await signIn(other.hub, { link });
    expect(answer.json).toMatchObject({ role: 'owner', name: 'First use', confirmedUntil: null });
    expect((await console.get('/admin/components')).status).toBe(200);
    const invalid = { status: 401, code: 'link_invalid' };
    expectRefusal((await signIn(test.hub, { link })).answer, invalid);
    expectRefusal(await new ConsoleClient(test.hub, `hub_session=${link}`).get('/admin/session'), {
      status: 401,
      code: 'unauthorized',
    });
    const late = valueIn((await test.hub.post('/admin/session/links')).json.link);
    const unseen = { name: 'Ada\u2066Eve' };
    expect((await test.hub.post('/admin/session/links', unseen)).status).toBe(400);
    expect((await signIn(test.hub, { token: ADMIN_TOKEN, ...unseen })).answer.status).toBe(400);
    const owned = { ...unseen, role: 'viewer' };
    expect((await test.hub.post('/admin/operators', owned)).status).toBe(400);
    const said = valueIn((await test.hub.post('/admin/session/links')).json.link);
    const renamed = await signIn(test.hub, { link: said, name: 'Somebody else' });
    const name = 'Somebody else (Link of admin)';
    expect(renamed.answer.json.name).toBe(name);
    const { json } = await test.hub.get('/admin/audit?action=session.open&limit=1');
    expect(json.records[0]).toMatchObject({ actorName: name, target: name });
    // A link is no cookie.
    const asCookie = new ConsoleClient(test.hub, `hub_session=${late}`);
    expect((await asCookie.get('/admin/session')).status).toBe(401);
    test.clock.advance(15 * MINUTE);
    expectRefusal((await signIn(test.hub, { link: late })).answer, invalid);
    expect(await sql(test).query('SELECT id FROM admin_session WHERE hash = ?', [link])).toEqual(
      [],
    );
  });

  it('are refused after ten wrong tries a minute; the right token passes whatever came before', async () => {
    test.clock.advance(2 * MINUTE);
    const wrong = { token: `${ADMIN_TOKEN}x`, name: 'Eve' };
    for (let tries = 0; tries < 10; tries += 1) {
      const { answer } = await signIn(test.hub, wrong);
      expectRefusal(answer, { status: 401, code: 'sign_in_failed' });
      expect(cookieIn(answer)).toBe('');
    }
    const { answer } = await signIn(test.hub, wrong);
    expectRefusal(answer, { status: 429, code: 'too_many_attempts' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await signIn(test.hub)).answer.status).toBe(201);
    test.clock.advance(MINUTE);
    expect((await signIn(test.hub, wrong)).answer.status).toBe(401);
  });

  it('outlive a restart, and end with the admin token that opened them', async () => {
    const { console } = await signIn(test.hub);
    const link = valueIn((await test.hub.post('/admin/session/links')).json.link);
    const env = { ADMIN_TOKEN: OTHER_TOKEN };
    const changed = await secondHub(test, env);
    try {
      ended(await console.at(changed.hub).get('/admin/session'));
      expect((await signIn(changed.hub, { link })).answer.status).toBe(401);
      expect((await signIn(changed.hub, { token: OTHER_TOKEN, name: 'Ada' })).answer.status).toBe(
        201,
      );
    } finally {
      await changed.close();
    }
    const restarted = await secondHub(test);
    try {
      expect((await console.at(restarted.hub).get('/admin/session')).json.name).toBe('Ada');
    } finally {
      await restarted.close();
    }
  });

  it('of a viewer are refused on every route that writes, and by every secret', async () => {
    const { console: viewer } = await addOperator(test.hub, { name: 'Vera', role: 'viewer' });
    const all = await operations(test.hub);
    const admin = all.filter(({ path }) => path.startsWith('/admin/'));
    const own = /^\/admin\/session(?:\/(?:confirm|password|invitation))?$/;
    const writing = admin.filter(({ method, path }) => method !== 'GET' && !own.test(path));
    expect(writing.length).toBeGreaterThan(25);
    for (const { method, path } of writing) {
      const answer = await viewer.request(method, path, {});
      expect([method, path, answer.status, answer.json?.error?.code]).toEqual([
        method,
        path,
        403,
        'missing_scope',
      ]);
    }
    const hidden = [
      '/admin/operators',
      '/admin/sessions',
      '/admin/audit/export',
      '/admin/events/x',
      '/admin/events/x?content=true',
      '/admin/events/x?content=false&content=true',
      '/admin/events/x?content=false&reveal=true',
    ];
    for (const path of [...hidden, `/admin/tickets/${appid}?reveal=true`]) {
      expectRefusal(await viewer.get(path), { status: 403, code: 'missing_scope' });
    }
    for (const path of [
      '/admin/components',
      '/admin/events',
      '/admin/deliveries',
      '/admin/audit',
    ]) {
      expect([path, (await viewer.get(path)).status]).toEqual([path, 200]);
    }
    await test.simulator.pushTicket(appid);
    const [{ id }] = (await viewer.get('/admin/events?limit=1')).json.events;
    const hiding = { status: 403, code: 'missing_scope' };
    expectRefusal(await viewer.get(`/admin/events/${id}`), hiding);
    const { status, json } = await viewer.get(`/admin/events/${id}?content=false`);
    expect([status, json.id, json.fields, json.raw, json.reply]).toEqual([
      200,
      id,
      null,
      null,
      null,
    ]);
  });
});
