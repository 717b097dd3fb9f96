import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliveries,
  deliveryHub,
  deliveryOf,
  passToRetry,
  deliverDue,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { statementsOf } from '../support/event-store-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { ACCOUNT } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import type { WebhookReceiver } from '../support/webhook-receiver.js';

const MANY = 12_000;
const BATCH = 500;
/** Of them one is dead, and of a rare type: the first. */
const SUBSCRIPTION = 'the-subscription';

/** Puts deliveries into the table, a second apart, as if their pushes had arrived. */
async function storeDeliveries(test: TestApp): Promise<void> {
  const now = test.clock.now();
  const rows = Array.from({ length: MANY }, (_, index) => [
    uuidv7(),
    `event-${index}`,
    index % 1000 === 1 ? 'another' : SUBSCRIPTION,
    index === 0 ? 'dead' : index % 500 === 2 ? 'pending' : 'delivered',
    now - (MANY - index) * 1000,
    index % 3000 === 3 ? 'wxrareplatform' : COMPONENT.appid,
    `wxaccount${index % 100}`,
    index === 0 ? 'rare' : 'text',
  ]);
  for (let at = 0; at < rows.length; at += BATCH) {
    const piece = rows.slice(at, at + BATCH);
    await sql(test).query(
      'INSERT INTO delivery (id, event_id, subscription_id, status, created_at, ' +
        `component_appid, authorizer_appid, type) VALUES ${piece.map(() => '(?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
      piece.flat(),
    );
  }
  await sql(test).query(
    sql(test).options.type === 'mysql' ? 'ANALYZE TABLE delivery' : 'ANALYZE delivery',
  );
}

describe.each(databaseKinds())('/admin/deliveries among 12 000 on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await deliveryHub({ database: kind });
    await storeDeliveries(test);
  });
  afterAll(() => test?.close());

  const time = (index: number): string =>
    new Date(test.clock.now() - (MANY - index) * 1000).toISOString();
  /** What the database does for a statement: the indexes that it uses, and what it scans or sorts. */
  async function plan(query: string, parameters: unknown[]): Promise<string[]> {
    if (kind === 'sqlite') {
      const steps = await sql(test).query(`EXPLAIN QUERY PLAN ${query}`, parameters);
      return steps
        .map(({ detail }: any) => detail)
        .filter((step: string) => / delivery\b/.test(step));
    }
    const steps = await sql(test).query(`EXPLAIN ${query}`, parameters);
    return steps
      .filter(({ table }: any) => table === 'delivery')
      .map(({ type, key, Extra }: any) =>
        ['ref', 'range', 'const'].includes(type) && !/filesort|temporary/i.test(Extra ?? '')
          ? `SEARCH ${key}`
          : `SCAN ${type} ${key} ${Extra}`,
      );
  }

  it.each<[string, () => Record<string, string>, string, number]>([
    ['a status', () => ({ status: 'dead' }), 'delivery_component', 1],
    ['statuses', () => ({ status: 'dead,pending' }), 'delivery_component', 25],
    ['many', () => ({ status: 'dead,delivered', limit: '500' }), 'delivery_component', 500],
    ['a push', () => ({ event: 'event-7' }), 'delivery_event', 1],
    ['a subscription', () => ({ subscription: 'another' }), 'delivery_subscription', 12],
    ['none', () => ({ subscription: 'nobody' }), 'delivery_subscription', 0],
    [
      'the dead of a subscription',
      () => ({ subscription: SUBSCRIPTION, status: 'dead' }),
      'delivery_subscription',
      1,
    ],
    ['an account', () => ({ account: 'wxaccount7', limit: '500' }), 'delivery_account', 120],
    ['a platform', () => ({ component: 'wxrareplatform' }), 'delivery_component', 4],
    [
      'the dead of a platform',
      () => ({ component: COMPONENT.appid, status: 'dead' }),
      'delivery_component',
      1,
    ],
    ['a type', () => ({ type: 'rare' }), 'delivery_type', 1],
    ['the dead of a type', () => ({ type: 'rare', status: 'dead' }), 'delivery_component', 1],
    ['a time', () => ({ from: time(100), to: time(110) }), 'PRIMARY', 10],
    [
      'the pending of a time',
      () => ({ from: time(0), to: time(1000), status: 'pending' }),
      'delivery_component',
      2,
    ],
    ['a time to come', () => ({ from: time(MANY + 3600) }), 'none', 0],
  ])('finds %s by an index', async (_, query, index, count) => {
    let found: any[] = [];
    const statements = await statementsOf(test, async () => {
      found = await deliveries(test, query());
    });
    expect(found).toHaveLength(count);
    const ids = found.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted().toReversed());
    const reads = statements.filter(({ query: text }) => text.startsWith('SELECT'));
    const plans = await Promise.all(
      reads.map(({ query: text, parameters }) => plan(text, parameters)),
    );
    const steps = plans.flat();
    expect(steps.filter((step) => !step.startsWith('SEARCH'))).toEqual([]);
    const name = kind === 'sqlite' && index === 'PRIMARY' ? 'autoindex_delivery' : index;
    if (index !== 'none') expect(steps.join('\n')).toContain(name);
  });

  it('looks for several things through so many at a time, and comes to the end', async () => {
    const query = `/admin/deliveries?subscription=${SUBSCRIPTION}&type=rare`;
    const pages: string[][] = [];
    let path: string | null = query;
    while (path !== null) {
      const { json }: any = await test.hub.get(path);
      pages.push(json.deliveries.map(({ type }: any) => type));
      path = json.next === null ? null : `${query}&before=${json.next}`;
    }
    expect(pages).toEqual([[], ['rare']]);
  });

  it('shows each once, page after page', async () => {
    const query = '/admin/deliveries?status=delivered,pending&limit=500';
    const seen: string[] = [];
    let path: string | null = query;
    while (path !== null) {
      const { json }: any = await test.hub.get(path);
      seen.push(...json.deliveries.map(({ id }: any) => id));
      path = json.next === null ? null : `${query}&before=${json.next}`;
    }
    expect(seen.length).toBe(MANY - 1);
    expect(new Set(seen).size).toBe(MANY - 1);
  });

  it('finds by time what has a smaller id than an older one, behind a time without any', async () => {
    const at = test.clock.now() + 3_600_000;
    const ids = [2, 1].map((count) => uuidv7({ msecs: at + count }));
    for (const [index, id] of ids.entries()) {
      await sql(test).query(
        'INSERT INTO delivery (id, event_id, subscription_id, status, created_at) VALUES (?, ?, ?, ?, ?)',
        [id, `later-${index}`, SUBSCRIPTION, 'delivered', at + 10 + index],
      );
    }
    const from = new Date(at).toISOString();
    const found = await deliveries(test, { from });
    await sql(test).query(`DELETE FROM delivery WHERE id IN ('${ids.join("', '")}')`);
    expect(found.map((one) => one.id)).toEqual(ids);
  });

  it('refuses a status that there is not, and a time that is none', async () => {
    for (const query of ['status=lost', 'status=', 'from=yesterday']) {
      expect((await test.hub.get(`/admin/deliveries?${query}`)).status).toBe(400);
    }
  });
});

describe.each(databaseKinds())('what a person does with deliveries on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));
  beforeEach(() => sql(test).query('DELETE FROM delivery'));

  const post = (path: string, body: unknown = {}) => test.hub.post(path, body);
  const targets = async (action: string): Promise<string[]> => {
    const rows = await sql(test).query(
      'SELECT target FROM audit_record WHERE action = ? ORDER BY id',
      [action],
    );
    return rows.map(({ target }: any) => target);
  };

  it('shows of which platform, account and type each is', async () => {
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    const facts = { componentAppId: COMPONENT.appid, authorizerAppId: ACCOUNT, type: 'text' };
    expect(await deliveries(test, { account: ACCOUNT, type: 'text' })).toMatchObject([facts]);
    await sql(test).query('DELETE FROM delivery');
    const range = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
    await post(`/admin/subscriptions/${id}/replay`, range);
    await deliverDue(test);
    expect((await deliveries(test, { account: ACCOUNT })).length).toBeGreaterThan(0);
  });

  it('counts what a filter means, and begins it again', async () => {
    await subscribe(test, receiver);
    for (let count = 0; count < 3; count += 1) await arrives(test);
    await arrives(test, {}, 'wxanotheraccount1');
    await settled(test);
    await sql(test).query("UPDATE delivery SET status = 'dead'");
    receiver.clear();
    const body = { account: ACCOUNT };
    expect((await post('/admin/deliveries/replay', { ...body, dryRun: true })).json).toEqual({
      matching: 3,
      replayed: 0,
      next: null,
    });
    expect(receiver.received).toEqual([]);
    const first = (await post('/admin/deliveries/replay', { ...body, limit: 2 })).json;
    expect(first).toMatchObject({ matching: 2, replayed: 2, next: expect.any(String) });
    const rest = (await post('/admin/deliveries/replay', { ...body, before: first.next })).json;
    expect(rest).toMatchObject({ matching: 1, replayed: 1 });
    await receiver.arrived(3);
    await settled(test);
    expect(await deliveries(test, { status: 'delivered' })).toHaveLength(3);
    expect(await deliveries(test, { status: 'dead' })).toMatchObject([
      { authorizerAppId: 'wxanotheraccount1' },
    ]);
    expect((await targets('delivery.replay')).at(-1)).toContain(`account=${ACCOUNT}`);
  });

  it('attempts now what is pending and has failed, if asked', async () => {
    receiver.answer({ status: 500 });
    await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    receiver.answer({});
    receiver.clear();
    expect((await post('/admin/deliveries/replay')).json).toMatchObject({ matching: 0 });
    const status = ['pending', 'dead'];
    const counted = (await post('/admin/deliveries/replay', { status, dryRun: true })).json;
    expect(counted).toMatchObject({ matching: 1, replayed: 0 });
    const { json } = await post('/admin/deliveries/replay', { status });
    expect(json).toMatchObject({ matching: 1, replayed: 1 });
    await receiver.arrived(1);
    await settled(test);
    expect(await deliveries(test)).toMatchObject([{ status: 'delivered', attempts: 2 }]);
  });

  it('leaves those of removed subscriptions', async () => {
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    await test.hub.request('DELETE', `/admin/subscriptions/${id}`);
    await sql(test).query("UPDATE delivery SET status = 'dead'");
    expect((await post('/admin/deliveries/replay')).json).toMatchObject({ matching: 0 });
  });

  it('ends one that is pending, and lets the next of its order go on', async () => {
    receiver.answer({ status: 500 });
    await subscribe(test, receiver, { ordered: true });
    await arrives(test);
    await settled(test);
    await arrives(test);
    await settled(test);
    const [second, first] = await deliveries(test);
    expect([second.status, first.status]).toEqual(['pending', 'pending']);
    receiver.answer({});
    receiver.clear();
    const { status, json } = await post(`/admin/deliveries/${first.id}/cancel`);
    expect([status, json.status]).toEqual([200, 'cancelled']);
    await deliverDue(test);
    expect(receiver.received.map(({ id }) => id)).toEqual([second.id]);
    const again = await post(`/admin/deliveries/${first.id}/cancel`);
    expect([again.status, again.json.error.code]).toEqual([409, 'delivery_ended']);
    expect((await post('/admin/deliveries/none/cancel')).json.error.code).toBe('delivery_unknown');
    expect(await targets('delivery.cancel')).toContain(first.id);
  });

  it('shows what a target answered, if asked, and stores it encrypted', async () => {
    const body = `看不懂 ${'x'.repeat(3000)}`;
    receiver.answer({ status: 500, body });
    await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    const [{ id }] = await deliveries(test);
    const [hidden] = (await deliveryOf(test, id)).history;
    expect(hidden).toMatchObject({ status: 500, hasAnswer: true, answer: null });
    const shown = (await test.hub.get(`/admin/deliveries/${id}?reveal=true`)).json.history[0];
    expect(shown.answer).toBe(Buffer.from(body).subarray(0, 1024).toString());
    expect(await targets('delivery.reveal')).toContain(id);
    const [{ answer }] = await sql(test).query(
      'SELECT answer FROM delivery_attempt WHERE delivery_id = ?',
      [id],
    );
    expect(answer).toMatch(/^enc:v1:/);
    // What took the push has nothing to explain, unless a person asks.
    receiver.answer({ body: 'taken' });
    await passToRetry(test);
    await deliverDue(test);
    await post(`/admin/deliveries/${id}/replay`);
    const { history } = (await test.hub.get(`/admin/deliveries/${id}?reveal=true`)).json;
    expect(history.map((one: any) => one.answer)).toEqual([shown.answer, null, 'taken']);
  });

  it('does not wait long for an answer that has no end', async () => {
    receiver.answer({
      raw: (response) => void response.writeHead(503).write('busy'),
    });
    await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    const [{ id }] = await deliveries(test);
    const { history } = (await test.hub.get(`/admin/deliveries/${id}?reveal=true`)).json;
    expect(history).toMatchObject([{ status: 503, answer: 'busy' }]);
  });
});
