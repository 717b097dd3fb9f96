import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuditRetention } from '../../src/auth/audit.retention.js';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { operations, type Operation } from '../support/openapi-document.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { issued } from '../support/token-world.js';

type Row = Record<string, unknown>;
const DAY = 24 * 3_600_000;

describe.each(databaseKinds())('the audit trail on %s', (kind) => {
  let test: TestApp;
  let all: Operation[];
  let account: string;
  beforeAll(async () => {
    test = await authorizerHub({
      database: kind,
      env: { DELIVERY_ALLOWED_TARGETS: '127.0.0.1', AUDIT_RETENTION_DAYS: '400' },
    });
    account = newAccount(test);
    await authorizeByEvent(test, account);
    all = await operations(test.hub);
  });
  afterAll(() => test.close());

  const sql = (query: string, values: unknown[] = []): Promise<Row[]> =>
    test.app.get(DataSource).query(query, values);
  const rows = (): Promise<Row[]> => sql('SELECT * FROM audit_record ORDER BY id');

  /** What was recorded while something was done. */
  async function recorded<T>(work: () => Promise<T>): Promise<{ answer: T; added: Row[] }> {
    const before = (await rows()).map(({ id }) => id);
    const answer = await work();
    return { answer, added: (await rows()).filter(({ id }) => !before.includes(id)) };
  }

  /** Exactly one record, of the act and how it ended. */
  function expectOne(added: Row[], { headers, status, json }: Answer, action: string): void {
    const outcome = status < 300 ? 'ok' : json?.error?.code;
    expect(added).toMatchObject([
      {
        action,
        actor: 'admin',
        outcome,
        request_id: headers.get('x-request-id'),
        source_address: '127.0.0.1',
        target: expect.stringMatching(/./),
      },
    ]);
  }

  const ours = (): Operation[] =>
    all.filter(({ path, 'x-scope': scope }) => /^\/(admin|api)\//.test(path) && scope !== 'none');
  const act = (operation: Operation, query = ''): Promise<Answer> =>
    operation.method === 'GET'
      ? test.hub.get(operation.path + query)
      : test.hub.request(operation.method, operation.path, {
          body: '{}',
          headers: { 'content-type': 'application/json' },
        });

  it('has one record of each act that is not a read, whatever comes of it', async () => {
    // A signature is asked for with each page, a preview counts; both change nothing.
    const isRead = ({ method, path }: Operation): boolean =>
      method === 'GET' || /\/(jssdk-signature|preview)$/.test(path);
    const acts = ours().filter((operation) => !isRead(operation));
    expect(acts.length).toBeGreaterThanOrEqual(18);
    for (const operation of acts) {
      const { answer, added } = await recorded(() => act(operation));
      const where = `${operation.method} ${operation.path}`;
      expect([where, added.length]).toEqual([where, 1]);
      expectOne(added, answer, operation['x-audit'] ?? 'none');
    }
  });

  it('has one record of each secret shown and each export, and none of other reads', async () => {
    const reads = ours().filter(({ method }) => method === 'GET');
    const shown = reads.filter((operation) => operation['x-audit'] !== undefined);
    const revealing = reads.filter(({ parameters = [] }) =>
      parameters.some(({ name }) => name === 'reveal'),
    );
    const exports = reads.filter(
      ({ responses }) => !responses['200']?.content?.['application/json'],
    );
    expect(revealing.length).toBe(5);
    expect(exports.length).toBe(2);
    expect(shown).toEqual(expect.arrayContaining([...revealing, ...exports]));
    for (const operation of reads) {
      const audited = operation['x-audit'];
      const asked = await recorded(() =>
        act(operation, revealing.includes(operation) ? '?reveal=true' : ''),
      );
      // Where nothing was shown there is nothing to record.
      const isShown = audited !== undefined && asked.answer.status < 300;
      expect([operation.path, asked.added.length]).toEqual([operation.path, isShown ? 1 : 0]);
      if (isShown) expectOne(asked.added, asked.answer, audited);
      if (!revealing.includes(operation)) continue;
      const { added } = await recorded(() => act(operation));
      expect([operation.path, added]).toEqual([operation.path, []]);
    }
  });

  it('has nothing of those who have no token', async () => {
    for (const { method, path } of ours()) {
      const headers = { authorization: 'Bearer wrong', 'content-type': 'application/json' };
      const body = method === 'GET' ? undefined : '{}';
      const { added } = await recorded(() => test.hub.request(method, path, { headers, body }));
      expect(added).toEqual([]);
    }
  });

  it.each<[string, string, number, string, () => Promise<Answer>]>([
    [
      'component.change',
      'wxnobody',
      404,
      'component_unknown',
      () => test.hub.patch('/admin/components/wxnobody', { enabled: false }),
    ],
    [
      'component.change',
      PLATFORM,
      200,
      'ok',
      () => test.hub.patch(`/admin/components/${PLATFORM}`, { name: 'A name' }),
    ],
    [
      'component.add',
      PLATFORM,
      409,
      'component_exists',
      () =>
        test.hub.post('/admin/components', {
          componentAppId: PLATFORM,
          appSecret: COMPONENT.appsecret,
          token: COMPONENT.token,
          encodingAesKey: COMPONENT.encodingAesKey,
        }),
    ],
    [
      'token.refresh',
      PLATFORM,
      200,
      'ok',
      () => test.hub.post(`/admin/tokens/${PLATFORM}/refresh`),
    ],
    [
      'token.invalidate',
      PLATFORM,
      200,
      'ok',
      () =>
        test.hub.post(`/api/components/${PLATFORM}/access-token/invalidate`, {
          token: issued(test),
        }),
    ],
    [
      'authorizer.refresh',
      'ACCOUNT',
      200,
      'ok',
      () => test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`),
    ],
    [
      'authorizer.set_option',
      'ACCOUNT/voice_recognize',
      200,
      'ok',
      () =>
        test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/options/voice_recognize`, {
          value: '1',
        }),
    ],
    [
      'authorizer.set_option',
      'ACCOUNT/no_such',
      502,
      'wechat_api_failed',
      () =>
        test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/options/no_such`, { value: '1' }),
    ],
    [
      'authorizer.resync',
      PLATFORM,
      202,
      'ok',
      () => test.hub.post(`/admin/components/${PLATFORM}/authorizers/resync`),
    ],
    ['authorizer.export', '*', 200, 'ok', () => test.hub.get('/admin/authorizers/export')],
    [
      'authorization.link',
      PLATFORM,
      200,
      'ok',
      () => test.hub.post('/admin/authorizations/links', { componentAppId: PLATFORM }),
    ],
    [
      'authorization.link',
      'wxnobody',
      404,
      'component_unknown',
      () => test.hub.post('/admin/authorizations/links', { componentAppId: 'wxnobody' }),
    ],
    [
      'subscription.add',
      'Mine',
      201,
      'ok',
      () => test.hub.post('/admin/subscriptions', { name: 'Mine', url: 'http://127.0.0.1:9/' }),
    ],
    [
      'subscription.add',
      'Bad',
      400,
      'target_refused',
      () => test.hub.post('/admin/subscriptions', { name: 'Bad', url: 'http://10.0.0.1/' }),
    ],
    [
      'ticket.reveal',
      PLATFORM,
      200,
      'ok',
      () => test.hub.get(`/admin/tickets/${PLATFORM}?reveal=true`),
    ],
  ])('says %s of %s: %i %s', async (action, target, status, outcome, work) => {
    const { answer, added } = await recorded(work);
    expect([answer.status, answer.text]).toEqual([status, answer.text]);
    expectOne(added, answer, action);
    const where = target.replace('ACCOUNT', `${PLATFORM}/${account}`);
    expect(added).toMatchObject([{ target: where, outcome }]);
  });

  /** While nothing can be recorded. */
  async function withoutTrail<T>(work: () => Promise<T>): Promise<T> {
    await sql('ALTER TABLE audit_record RENAME TO audit_record_away');
    return work().finally(() => sql('ALTER TABLE audit_record_away RENAME TO audit_record'));
  }

  it('and the change that it is of are written together, or neither', async () => {
    const state = async (): Promise<unknown> => [
      (await test.hub.get('/admin/subscriptions')).json,
      await sql('SELECT name, updated_at FROM component'),
      await sql('SELECT secret FROM subscription'),
    ];
    const { json } = await test.hub.post('/admin/subscriptions', {
      name: 'Kept',
      url: 'http://127.0.0.1:9/',
    });
    const before = await state();
    const path = `/admin/subscriptions/${json.id}`;
    const statuses = await withoutTrail(async () => [
      (await test.hub.patch(`/admin/components/${PLATFORM}`, { name: 'Other' })).status,
      (await test.hub.post('/admin/subscriptions', { name: 'N', url: 'http://127.0.0.1:9/' }))
        .status,
      (await test.hub.patch(path, { name: 'Other' })).status,
      (await test.hub.post(`${path}/rotate-secret`)).status,
      (await test.hub.request('DELETE', path)).status,
      (await test.hub.get('/admin/authorizers/export')).status,
      (await test.hub.get('/admin/tickets?reveal=true')).status,
    ]);
    expect(statuses).toEqual([500, 500, 500, 500, 500, 500, 500]);
    expect(await state()).toEqual(before);
  });

  it('is not needed for a token: services get theirs though nothing can be recorded', async () => {
    const path = `/api/components/${PLATFORM}/access-token/invalidate`;
    const { status } = await withoutTrail(() => test.hub.post(path, { token: 'an-older-one' }));
    expect(status).toBe(200);
  });

  it('can be read newest first, filtered, page by page, and holds no secret', async () => {
    const { json } = await test.hub.get('/admin/audit?limit=200');
    const ids = json.records.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(ids.toSorted().toReversed());
    expect(json.records[0]).toEqual({
      id: expect.any(String),
      at: expect.any(String),
      actor: 'admin',
      actorKind: 'token',
      actorName: null,
      action: expect.any(String),
      target: expect.any(String),
      outcome: expect.any(String),
      count: 1,
      requestId: expect.any(String),
      sourceAddress: '127.0.0.1',
    });
    const seen: string[] = [];
    let before = '';
    do {
      const page = (await test.hub.get(`/admin/audit?limit=7${before}`)).json;
      // What comes meanwhile moves nothing.
      await test.hub.get('/admin/tickets?reveal=true');
      seen.push(...page.records.map(({ id }: { id: string }) => id));
      before = page.next === null ? '' : `&before=${page.next}`;
    } while (before);
    expect(seen).toEqual(ids);
    const find = async (query: Record<string, string>): Promise<any[]> =>
      (await test.hub.get(`/admin/audit?${new URLSearchParams({ limit: '200', ...query })}`)).json
        .records;
    const changes = await find({ action: 'component.change', target: 'wxnobody' });
    expect(changes).toMatchObject([{ outcome: 'component_unknown' }]);
    expect(await find({ actor: 'nobody' })).toEqual([]);
    expect((await find({ actor: 'admin', target: PLATFORM })).length).toBeGreaterThan(3);
    const now = test.clock.now();
    const time = (ms: number): string => new Date(now + ms).toISOString();
    expect(await find({ from: time(1) })).toEqual([]);
    expect(await find({ to: time(-DAY) })).toEqual([]);
    expect((await find({ from: time(-DAY), to: time(1) })).length).toBeGreaterThan(10);
    for (const query of [
      '?limit=0',
      '?limit=201',
      `?before=${'x'.repeat(37)}`,
      '?from=yesterday',
      '?to=1',
    ]) {
      expect((await test.hub.get(`/admin/audit${query}`)).status).toBe(400);
    }
    const text = JSON.stringify(await rows());
    const secrets = [COMPONENT.appsecret, COMPONENT.token, COMPONENT.encodingAesKey, issued(test)];
    for (const secret of secrets) expect(text).not.toContain(secret);
  });

  it('is exported as CSV, by the same filter and newest first', async () => {
    const { status, text, headers } = await test.hub.get(
      '/admin/audit/export?action=ticket.reveal',
    );
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const lines = text
      .replace(/^\uFEFF/, '')
      .trimEnd()
      .split('\r\n');
    expect(lines[0]).toBe(
      'id,at,actor,action,target,outcome,request_id,source_address,actor_kind,actor_name,count',
    );
    const expected = (await rows()).filter(({ action }) => action === 'ticket.reveal').toReversed();
    expect(expected.length).toBeGreaterThan(0);
    expect(lines.slice(1).map((line) => line.split(',')[0])).toEqual(expected.map(({ id }) => id));
    expect(lines[1]).toMatch(/,127\.0\.0\.1,token,,1$/);
  });

  it('is kept for its days', async () => {
    const count = async (): Promise<number> => (await rows()).length;
    await sql("UPDATE audit_record SET at = at - ? WHERE action = 'ticket.reveal'", [2 * DAY]);
    const before = await count();
    const old = (await rows()).filter(({ action }) => action === 'ticket.reveal').length;
    const sweep = async (): Promise<void> => {
      // A ticket shows the time: the machine's clock alone removes nothing.
      await test.simulator.pushTicket(COMPONENT.appid);
      await test.app.get(AuditRetention).sweep();
    };
    await sweep();
    expect(await count()).toBe(before);
    test.clock.advance(399 * DAY);
    await sweep();
    expect(await count()).toBe(before - old);
    test.clock.advance(2 * DAY);
    await sweep();
    expect(await count()).toBe(0);
  });
});
