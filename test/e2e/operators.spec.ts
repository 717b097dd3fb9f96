import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { AuditService } from '../../src/auth/audit.service.js';
import { rawRequest } from '../support/http-exchange.js';
import { expectRefusal } from '../support/callback-state.js';
import { addOperator, send, signIn, valueIn } from '../support/console-world.js';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../support/databases.js';
import { ADMIN_TOKEN, COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, secondHub, SECOND, sql } from '../support/token-world.js';

const { appid } = COMPONENT;
const GOOD = 'correct horse battery';
type Record_ = Record<string, unknown>;

describe.each(databaseKinds())('operators of the console on %s', (kind) => {
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

  /** The newest records of a filter, newest first. */
  const trail = async (query: Record<string, string>): Promise<Record_[]> =>
    (await test.hub.get(`/admin/audit?${new URLSearchParams(query)}`)).json.records;
  const accept = (link: string, password: string): Promise<Answer> =>
    send(test.hub, 'POST', '/admin/session/invitation', { invitation: valueIn(link), password });

  it('set a password by an invitation, once and within a day, and sign in by it', async () => {
    const added = await test.hub.post('/admin/operators', { name: 'Li Wei', role: 'operator' });
    expect(added.json).toMatchObject({ name: 'Li Wei', enabled: true, hasPassword: false });
    expect(added.json.invitation).toMatch(/^\/console\/#\/welcome\?invitation=[\w-]{43}$/);
    const { id, invitation } = added.json;
    const taken = await test.hub.post('/admin/operators', { name: 'Li Wei', role: 'viewer' });
    expectRefusal(taken, { status: 409, code: 'operator_exists' });
    for (const weak of ['short', 'elevenchars', 'LI WEI']) {
      expectRefusal(await accept(invitation, weak), { status: 400, code: 'password_weak' });
    }
    const accepted = await accept(invitation, GOOD);
    expect([accepted.status, accepted.json.role]).toEqual([201, 'operator']);
    const used = { status: 401, code: 'link_invalid' };
    expectRefusal(await accept(invitation, GOOD), used);
    test.clock.advance(MINUTE);
    const by = { operator: 'Li Wei', password: GOOD };
    const { answer } = await signIn(other.hub, by);
    expect(answer.json).toMatchObject({
      kind: 'operator',
      actor: `operator:${id}`,
      name: 'Li Wei',
      scopes: ['admin:read', 'events:read', 'token:refresh', 'admin:operate'],
    });
    for (const wrong of [
      { ...by, password: `${GOOD}x` },
      { ...by, operator: 'Nobody' },
    ]) {
      const failed = (await signIn(test.hub, wrong)).answer;
      expectRefusal(failed, { status: 401, code: 'sign_in_failed' });
    }
    const again = await test.hub.post(`/admin/operators/${id}/invitation`);
    test.clock.advance(24 * HOUR);
    expectRefusal(await accept(again.json.invitation, GOOD), used);
    const rows = JSON.stringify([
      await sql(test).query('SELECT * FROM operator'),
      await sql(test).query('SELECT * FROM audit_record'),
    ]);
    for (const secret of [GOOD, valueIn(invitation), valueIn(again.json.invitation)]) {
      expect(rows).not.toContain(secret);
    }
  });

  it('do what their role says, and a change of it counts everywhere within 10 s', async () => {
    const { id, console } = await addOperator(test.hub, { name: 'Omar', role: 'operator' });
    const there = console.at(other.hub);
    const refresh = (): Promise<Answer> => there.post(`/admin/tickets/${appid}/start-push`);
    expect((await refresh()).status).not.toBe(403);
    for (const [method, path] of [
      ['POST', '/admin/components'],
      ['POST', '/admin/api-keys'],
      ['GET', '/admin/operators'],
      ['GET', '/admin/sessions'],
      ['GET', '/admin/audit/export'],
      ['GET', `/admin/tickets/${appid}?reveal=true`],
    ] as const) {
      const body = method === 'GET' ? undefined : {};
      const answer = await there.request(method, path, body);
      expectRefusal(answer, { status: 403, code: 'missing_scope' });
    }
    const change = (values: object): Promise<Answer> =>
      test.hub.patch(`/admin/operators/${id}`, values);
    await change({ role: 'viewer' });
    test.clock.advance(10 * SECOND);
    expectRefusal(await refresh(), { status: 403, code: 'missing_scope' });
    expectRefusal(await there.get('/admin/events/none'), { status: 403, code: 'missing_scope' });
    await change({ readsContent: true });
    test.clock.advance(10 * SECOND);
    expectRefusal(await there.get('/admin/events/none'), { status: 404, code: 'event_unknown' });
    await change({ role: 'owner' });
    test.clock.advance(10 * SECOND);
    expect((await there.get('/admin/operators')).status).toBe(200);
  });

  it.each([
    ['removed', (id: string) => test.hub.request('DELETE', `/admin/operators/${id}`)],
    ['disabled', (id: string) => test.hub.patch(`/admin/operators/${id}`, { enabled: false })],
  ])('lose their sessions when they are %s, everywhere within 10 s', async (name, work) => {
    const { id, console, password } = await addOperator(test.hub, { name, role: 'viewer' });
    const there = console.at(other.hub);
    expect((await there.get('/admin/session')).status).toBe(200);
    expect((await work(id)).status).toBe(200);
    expectRefusal(await console.get('/admin/session'), { status: 401, code: 'session_ended' });
    test.clock.advance(10 * SECOND);
    expectRefusal(await there.get('/admin/session'), { status: 401, code: 'session_ended' });
    const { answer } = await signIn(test.hub, { operator: name, password });
    expectRefusal(answer, { status: 401, code: 'sign_in_failed' });
  });

  it('change their own password, which ends their other sessions', async () => {
    const { console, password } = await addOperator(test.hub, { name: 'Pia', role: 'viewer' });
    const { console: elsewhere } = await signIn(test.hub, { operator: 'Pia', password });
    const change = (current: string, next: string): Promise<Answer> =>
      console.post('/admin/session/password', { current, password: next });
    expectRefusal(await change('wrong', GOOD), { status: 403, code: 'confirmation_failed' });
    expectRefusal(await change(password, 'short'), { status: 400, code: 'password_weak' });
    expect((await change(password, GOOD)).status).toBe(200);
    expect((await console.get('/admin/session')).status).toBe(200);
    expectRefusal(await elsewhere.get('/admin/session'), { status: 401, code: 'session_ended' });
    const { console: owner } = await signIn(test.hub);
    const no = await owner.post('/admin/session/password', { current: 'x', password: GOOD });
    expectRefusal(no, { status: 400, code: 'no_password' });
  });

  it('change a password once by what it was, and not after it was reset', async () => {
    const { id, console, password } = await addOperator(test.hub, { name: 'Sol', role: 'viewer' });
    const change = (hub: TestApp['hub'], next: string): Promise<Answer> =>
      console.at(hub).post('/admin/session/password', { current: password, password: next });
    const answers = await Promise.all(
      ['first of the two', 'second of the two'].map((next) => change(test.hub, next)),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 403]);
    // The other host may still remember the password from before.
    const thief = await addOperator(test.hub, { name: 'Tess', role: 'viewer' });
    const { console: known } = await signIn(other.hub, {
      operator: 'Tess',
      password: thief.password,
    });
    const invited = await test.hub.post(`/admin/operators/${thief.id}/invitation`);
    expect((await accept(invited.json.invitation, GOOD)).status).toBe(201);
    const theft = { current: thief.password, password: 'what the thief wants' };
    expect((await known.post('/admin/session/password', theft)).status).not.toBe(200);
    const { answer } = await signIn(test.hub, { operator: 'Tess', password: GOOD });
    expect(answer.status).toBe(201);
    expect((await test.hub.patch(`/admin/operators/${id}`, { enabled: false })).status).toBe(200);
  });

  it('who were disabled have to sign in again when they are enabled', async () => {
    const { id, console } = await addOperator(test.hub, { name: 'Uma', role: 'viewer' });
    expect((await console.get('/admin/session')).status).toBe(200);
    for (const enabled of [false, true])
      await test.hub.patch(`/admin/operators/${id}`, { enabled });
    expect((await console.get('/admin/session')).status).toBe(401);
  });

  it('and their passwords are not found by trying', async () => {
    const { password } = await addOperator(test.hub, { name: 'Quinn', role: 'viewer' });
    test.clock.advance(MINUTE);
    const tries: number[] = [];
    for (let count = 0; count < 11; count += 1) {
      const body = { operator: 'Quinn', password: `wrong number ${count}` };
      tries.push((await signIn(test.hub, body)).answer.status);
    }
    expect(tries).toEqual([...Array(10).fill(401), 429]);
    const right = { operator: 'Quinn', password };
    const { answer } = await signIn(test.hub, right);
    expectRefusal(answer, { status: 429, code: 'too_many_attempts' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    test.clock.advance(MINUTE);
    expect((await signIn(test.hub, right)).answer.status).toBe(201);
  });

  it('are named in the audit trail with what they do, and what they are refused', async () => {
    const { id, console, password } = await addOperator(test.hub, { name: 'Rosa', role: 'viewer' });
    const who = { actor: `operator:${id}`, actorKind: 'operator', actorName: 'Rosa' };
    await signIn(test.hub, { operator: 'Rosa', password });
    await signIn(test.hub, { operator: 'Rosa', password: 'not hers at all' });
    await console.post('/admin/session/confirm', { password });
    await console.post('/admin/components', {});
    await console.request('DELETE', '/admin/session');
    const found = await eventually('all records', async () => {
      const records = await trail({ actor: 'Rosa' });
      return records.length >= 6 ? records : undefined;
    });
    for (const record of found) expect(record).toMatchObject({ ...who, count: 1 });
    const facts = found.map(({ action, target, outcome }) => [action, target, outcome]);
    expect(facts.toSorted()).toEqual(
      [
        ['session.accept_invitation', 'Rosa', 'ok'],
        ['session.open', 'Rosa', 'ok'],
        ['session.open', 'Rosa', 'sign_in_failed'],
        ['session.confirm', '*', 'ok'],
        ['access.refused', 'POST /admin/components', 'missing_scope'],
        ['session.close', '*', 'ok'],
      ].toSorted(),
    );
    expect((await trail({ actor: who.actor, outcome: 'refused' })).length).toBe(2);
    expect((await trail({ actor: 'Rosa', actorKind: 'key' })).length).toBe(0);
    // A person with the admin token says who they are.
    const { console: ada } = await signIn(test.hub, { token: ADMIN_TOKEN, name: 'Ada L' });
    await ada.request('PATCH', `/admin/components/${appid}`, { name: 'By Ada' });
    const [change] = await trail({ actor: 'Ada L', action: 'component.change' });
    expect(change).toMatchObject({ actor: 'admin', actorKind: 'token', actorName: 'Ada L' });
  });

  it('refusals of keys are recorded at once, then once a minute with their number', async () => {
    const { json } = await test.hub.post('/admin/api-keys', { name: 'Shop', scopes: ['proxy'] });
    const ask = (path: string): Promise<Answer> =>
      rawRequest(test.hub.url, {
        method: 'GET',
        path,
        headers: { authorization: `Bearer ${json.key}` },
      });
    const route = 'GET /api/components/:componentAppId/access-token';
    for (let count = 0; count < 8; count += 1) {
      expect((await ask(`/api/components/${appid}/access-token`)).status).toBe(403);
    }
    await test.app.get(AuditService).flush();
    const counts = async (target: string): Promise<unknown[]> =>
      (await trail({ actor: 'Shop', action: 'access.refused', target })).map(({ count }) => count);
    expect(await counts(route)).toEqual([7, 1]);
    await test.hub.request('DELETE', `/admin/api-keys/${json.id}`);
    expect((await ask(`/proxy/components/${appid}/cgi-bin/x`)).status).toBe(401);
    const query = new URLSearchParams({
      grant_type: 'client_credential',
      appid: 'wxfedcba9876543210',
      secret: json.key,
    });
    await ask(`/wx/cgi-bin/token?${query}`);
    await test.app.get(AuditService).flush();
    expect(await trail({ actor: 'Shop', outcome: 'key_revoked' })).toMatchObject([
      { target: 'ANY /wx/*', actorKind: 'key' },
      { target: 'GET /proxy/components/:componentAppId/*', actorKind: 'key' },
    ]);
    // Whom nobody knows leaves lines in the log, and none here.
    const before = (await trail({ outcome: 'unauthorized' })).length;
    await send(test.hub, 'GET', '/admin/components', undefined, { authorization: 'Bearer wrong' });
    await test.app.get(AuditService).flush();
    expect((await trail({ outcome: 'unauthorized' })).length).toBe(before);
  });
});
