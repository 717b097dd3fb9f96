import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StatisticsRecorder } from '../../src/statistics/statistics.recorder.js';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const DAY = 24 * 3_600_000;
const SEND = 'cgi-bin/message/custom/send';

describe.each(databaseKinds())('usage and statistics on %s', (kind) => {
  let test: TestApp;
  let account: string;
  let keyId: string;
  let began: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    account = newAccount(test);
    await authorizeByEvent(test, account);
    began = new Date(test.clock.now()).toISOString();
    const made = await test.hub.post('/admin/api-keys', { name: 'orders', scopes: ['proxy'] });
    expect(made.status).toBe(201);
    keyId = made.json.id;
    const send = (touser: string, headers: Record<string, string> = {}): Promise<Answer> =>
      test.hub.request('POST', `/proxy/authorizers/${account}/${SEND}`, {
        body: JSON.stringify({ touser, msgtype: 'text', text: { content: 'hello' } }),
        headers: { 'content-type': 'application/json', ...headers },
      });
    await send('fake_openid');
    await send('fake_openid', { authorization: `Bearer ${made.json.key}` });
    await send('?');
    await test.hub.get(`/proxy/components/${PLATFORM}/cgi-bin/get_api_domain_ip`);
    // Names of nothing that there is.
    await test.hub.get('/proxy/authorizers/wxnobody/cgi-bin/get_api_domain_ip');
    await test.hub.get('/proxy/components/wxnobody/cgi-bin/get_api_domain_ip');
    await test.app.get(StatisticsRecorder).flush();
  });
  afterAll(() => test?.close());

  const usage = async (query: string): Promise<Record<string, unknown>[]> => {
    const { status, json } = await test.hub.get(`/admin/usage?${query}`);
    expect(status).toBe(200);
    return json.rows;
  };

  it('has calls by key, platform, account, path and errcode', async () => {
    const row = { componentAppId: PLATFORM, authorizerAppId: account, path: SEND, calls: 1 };
    const rows = await usage('group=actor,component,account,path,errcode');
    expect(rows).toHaveLength(4);
    expect(rows).toEqual(
      expect.arrayContaining([
        { ...row, actor: 'admin', errcode: '0' },
        { ...row, actor: 'admin', errcode: '40003' },
        { ...row, actor: `key:${keyId}`, errcode: '0' },
        {
          ...row,
          actor: 'admin',
          authorizerAppId: '',
          path: 'cgi-bin/get_api_domain_ip',
          errcode: '0',
        },
      ]),
    );
  });

  it('adds them up by what is asked for, the most first', async () => {
    expect(await usage('')).toEqual([
      { path: SEND, calls: 3 },
      { path: 'cgi-bin/get_api_domain_ip', calls: 1 },
    ]);
    expect(await usage('limit=1')).toHaveLength(1);
    const [day] = await usage('group=day');
    expect(new Date(String(day?.['day'])).getUTCHours()).toBe(16);
    expect(day?.['calls']).toBe(4);
    expect(await usage('group=hour,actor')).toHaveLength(2);
  });

  it.each([
    ['actor=admin', 3],
    ['errcode=40003', 1],
    [`component=${PLATFORM}`, 4],
    ['component=wxnobody', 0],
    [`path=${SEND}`, 3],
  ])('shows what a filter names: %s', async (query, calls) => {
    const rows = await usage(`group=errcode,path&${query}`);
    expect(rows.reduce((sum, row) => sum + Number(row['calls']), 0)).toBe(calls);
  });

  it('shows what a filter by account, key or time names', async () => {
    expect(await usage(`account=${account}`)).toEqual([{ path: SEND, calls: 3 }]);
    expect(await usage(`actor=key:${keyId}`)).toEqual([{ path: SEND, calls: 1 }]);
    expect(await usage(`to=${new Date(Date.parse(began) - 2 * 3_600_000).toISOString()}`)).toEqual(
      [],
    );
  });

  it('refuses groups that there are not', async () => {
    expect((await test.hub.get('/admin/usage?group=token')).status).toBe(400);
  });

  it('has series of calls, pushes and refreshes', async () => {
    for (const bucket of ['hour', 'day']) {
      const { json } = await test.hub.get(`/admin/statistics?bucket=${bucket}`);
      expect(json.series).toEqual(
        expect.arrayContaining([
          { kind: 'call', outcome: '0', points: [{ at: expect.any(String), count: 3 }] },
          { kind: 'call', outcome: '40003', points: [{ at: expect.any(String), count: 1 }] },
          expect.objectContaining({ kind: 'push', outcome: 'success' }),
          expect.objectContaining({ kind: 'refresh', outcome: 'ok' }),
        ]),
      );
    }
    const pushes = (await test.hub.get('/admin/statistics?kind=push')).json.series;
    expect(pushes.map(({ kind: one }: { kind: string }) => one)).toContain('push');
    expect(pushes.every(({ kind: one }: { kind: string }) => one === 'push')).toBe(true);
  });

  it('has percentiles of the answers to WeChat, by time and in all', async () => {
    const { latencies } = (await test.hub.get('/admin/statistics')).json;
    const [push, delivery] = latencies;
    expect([push.kind, delivery.kind]).toEqual(['push', 'delivery']);
    expect(push.count).toBeGreaterThan(0);
    expect(push.p50Ms).toBeGreaterThan(0);
    expect(push.p99Ms).toBeGreaterThanOrEqual(push.p50Ms);
    expect(push.points).toEqual([
      { at: expect.any(String), count: push.count, p50Ms: push.p50Ms, p99Ms: push.p99Ms },
    ]);
    expect(delivery).toEqual({ kind: 'delivery', count: 0, p50Ms: null, p99Ms: null, points: [] });
    const none = (await test.hub.get('/admin/statistics?kind=call')).json.latencies;
    expect(none).toEqual([]);
    const other = (await test.hub.get('/admin/statistics?component=wxnobody')).json.latencies;
    expect(other[0]).toMatchObject({ kind: 'push', count: 0 });
  });

  it('has hours for a month at the most', async () => {
    const long = '/admin/statistics?from=2020-01-01T00:00:00Z&to=2020-03-01T00:00:00Z';
    const { status, json } = await test.hub.get(long);
    expect([status, json.error.code]).toEqual([400, 'range_too_long']);
    expect((await test.hub.get(`${long}&bucket=day`)).json.series).toEqual([]);
  });

  it('keeps what could not be stored, and adds it when the table is back', async () => {
    const sql = (text: string): Promise<unknown> => test.app.get(DataSource).query(text);
    const total = async (): Promise<unknown> =>
      (await usage('group=errcode&errcode=0'))[0]?.['calls'];
    await sql('ALTER TABLE statistic RENAME TO statistic_away');
    await test.hub.get(`/proxy/components/${PLATFORM}/cgi-bin/get_api_domain_ip`);
    await test.app.get(StatisticsRecorder).flush();
    await sql('ALTER TABLE statistic_away RENAME TO statistic');
    expect(await total()).toBe(3);
    await test.app.get(StatisticsRecorder).flush();
    expect(await total()).toBe(4);
  });

  it('is added within seconds where it is little, and with the minute where it is much', async () => {
    const recorder = test.app.get(StatisticsRecorder);
    const calls = async (): Promise<unknown> =>
      (await usage('group=errcode&errcode=40003'))[0]?.['calls'];
    const before = Number(await calls());
    const call = (of: string): Promise<Answer> =>
      test.hub.request('POST', `/proxy/authorizers/${account}/${SEND}${of}`, {
        body: JSON.stringify({ touser: '?', msgtype: 'text', text: { content: 'hello' } }),
        headers: { 'content-type': 'application/json' },
      });
    await call('');
    await recorder.flushFew();
    expect(await calls()).toBe(before + 1);
    await call('');
    await Promise.all(Array.from({ length: 101 }, (_, at) => call(`/${at}`)));
    await recorder.flushFew();
    expect(await calls()).toBe(before + 1);
    await recorder.flush();
    expect(Number(await calls())).toBeGreaterThan(before + 1);
  });

  it('is kept for its days', async () => {
    test.clock.advance(401 * DAY);
    await test.simulator.pushTicket(COMPONENT.appid);
    await test.app.get(StatisticsRecorder).sweep();
    expect(await usage('from=2020-01-01T00:00:00Z')).toEqual([]);
  });
});

describe.each(databaseKinds())('a hub that stops on %s', (kind) => {
  it('stores what it has counted', async () => {
    const test = await authorizerHub({ database: kind });
    const url = `/proxy/components/${PLATFORM}/cgi-bin/get_api_domain_ip`;
    await test.hub.get(url);
    await test.app.close();
    const next = await createTestApp({ database: test.database, clock: test.clock });
    expect((await next.hub.get('/admin/usage')).json.rows).toEqual([
      { path: 'cgi-bin/get_api_domain_ip', calls: 1 },
    ]);
    await next.close();
    await test.simulator.stop();
    await test.database.drop();
  });
});
