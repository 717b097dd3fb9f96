import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import {
  authorizeByEvent,
  authorizerHub,
  newAccounts,
  pass,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { statementsOf } from '../support/event-store-world.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, sql } from '../support/token-world.js';

const HOUR = 3_600_000;

describe.each(databaseKinds())('/admin/overview on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    const accounts = newAccounts(test, 3);
    for (const account of accounts) await authorizeByEvent(test, account);
    await test.simulator.accounts.withdraw(PLATFORM, accounts[0] as string, { push: true });
  });
  afterAll(() => test?.close());

  const overview = async (): Promise<any> => (await test.hub.get('/admin/overview')).json;
  const platform = async (appid = PLATFORM): Promise<any> =>
    (await overview()).platforms.find(({ componentAppId }: any) => componentAppId === appid);
  /** After the time for which counts hold: a reader does not wait for new ones that take long. */
  const recounted = async (): Promise<void> => {
    await pass(test, 61_000);
    const now = test.clock.now();
    await expect
      .poll(async () => Date.parse((await overview()).countedAt))
      .toBeGreaterThanOrEqual(now);
  };
  const store = (status: string, finishedAt: number | null): Promise<unknown> =>
    sql(test).query(
      'INSERT INTO delivery (id, event_id, subscription_id, status, created_at, finished_at, ' +
        'component_appid) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [uuidv7(), uuidv7(), 'one', status, test.clock.now(), finishedAt, PLATFORM],
    );

  it('shows ticket, token and accounts of a platform', async () => {
    expect(await platform()).toMatchObject({
      enabled: true,
      ticket: { stale: false, ageSeconds: expect.any(Number) },
      token: { generation: 1, lastError: null },
      accounts: { active: 2, revoked: 1, needsReauthorization: 0, suspended: 0, lateSeconds: 0 },
      deliveries: { pending: 0, deadOfDay: 0 },
      subscriptions: { well: 0, failing: 0, disabled: 0, unreadable: 0 },
    });
    const text = JSON.stringify(await overview());
    expect(text).not.toContain('ccessToken');
    expect(text).not.toContain('erifyTicket');
  });

  it('counts the deliveries that are pending, and those that died within a day', async () => {
    const now = test.clock.now();
    await store('pending', null);
    await store('pending', null);
    await store('dead', now - HOUR);
    await store('dead', now - 25 * HOUR);
    await store('delivered', now - HOUR);
    await recounted();
    expect((await platform()).deliveries).toEqual({ pending: 2, deadOfDay: 1 });
  });

  it('counts subscriptions by how they are, those for all platforms at each', async () => {
    const other = await addPlatform(test);
    const add = async (values: object): Promise<string> => {
      const body = { name: 'A service', url: 'https://service.example.com/', ...values };
      return (await test.hub.post('/admin/subscriptions', body)).json.id;
    };
    await add({});
    await add({ componentAppId: PLATFORM, enabled: false });
    const failing = await add({ componentAppId: other.appid });
    await sql(test).query('UPDATE subscription SET failing_since = 1 WHERE id = ?', [failing]);
    // Any change is live at once, with what else has changed.
    await add({ componentAppId: PLATFORM });
    expect((await platform()).subscriptions).toMatchObject({ well: 2, failing: 0, disabled: 1 });
    expect(await platform(other.appid)).toMatchObject({
      ticket: null,
      subscriptions: { well: 1, failing: 1, disabled: 0 },
    });
  });

  it('says why a token cannot be had, and what to do', async () => {
    const token =
      'UPDATE component_access_token SET access_token = NULL, attempts = 1, last_error = ?';
    const advice = 'Add the address at WeChat';
    const lastError = { code: 'ip_refused', message: 'no', kind: 'ip', operator: true, advice };
    await sql(test).query(token, [JSON.stringify({ ...lastError, details: {}, at: 1 })]);
    expect((await platform()).token.lastError).toMatchObject({ advice, operator: true });
  });

  it('counts no more often than every few seconds, and never the whole table of deliveries', async () => {
    const counting = async (act: () => Promise<unknown>): Promise<string[]> => {
      const statements = await statementsOf(test, act);
      return statements.map(({ query }) => query).filter((query) => query.includes('COUNT('));
    };
    const counted = await counting(recounted);
    expect(counted.filter((query) => query.includes('delivery')).length).toBe(4);
    expect(counted.filter((query) => !/LIMIT|authorizer/.test(query))).toEqual([]);
    expect(await counting(overview)).toEqual([]);
  });

  it('is for those who may read', async () => {
    const headers = { authorization: 'Bearer wrong' };
    expect((await test.hub.request('GET', '/admin/overview', { headers })).status).toBe(401);
  });
});
