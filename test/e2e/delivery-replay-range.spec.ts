import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WechatFormat } from '../../src/delivery/wechat-format.js';
import { TargetClient } from '../../src/webhook/target.client.js';
import { gate } from '../support/gate.js';
import { eventually } from '../support/eventually.js';
import { authorizeByEvent, newAccount } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliverDue,
  deliveries,
  deliveryHub,
  deliveryOf,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { statementsOf } from '../support/event-store-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, sql } from '../support/token-world.js';
import type { WebhookReceiver } from '../support/webhook-receiver.js';

const CHECK_ACCOUNT = 'wx570bc396a51b8ff8';
const text = (content: string) => ({ body: JSON.stringify({ MsgType: 'text', Content: content }) });

describe.each(databaseKinds())('the replay of a time range on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  let from: number;
  beforeAll(async () => {
    ({ test, receiver } = world);
    await test.simulator.pushTicket(COMPONENT.appid);
  });
  beforeEach(() => {
    test.simulator.customMessages.clear();
    test.clock.advance(MINUTE);
    from = test.clock.now();
  });

  const iso = (ms: number): string => new Date(ms).toISOString();
  const sinceBegin = () => ({ from: iso(from), to: iso(test.clock.now() + 1) });

  async function replay(id: string, { hub }: Pick<TestApp, 'hub'> = test): Promise<number> {
    const { json } = await hub.post(`/admin/subscriptions/${id}/replay`, sinceBegin());
    return json.replayed;
  }

  it('begins each delivery once, however often it is asked for at once', async () => {
    const { database, clock } = test;
    const other = await deliveryHub({ database, clock });
    await burst(test, 30);
    const { id } = await subscribe(test, receiver);
    const { opened: until, open: release } = gate();
    receiver.answer({ until });
    await other.hub.get(`/admin/subscriptions/${id}`);
    const begun = await Promise.all([test, other, test, other].map((hub) => replay(id, hub)));
    release();
    // Either host may still have had deliveries under its lease when the other one looked.
    await eventually('30 deliveries', async () => {
      await Promise.all([deliverDue(test), deliverDue(other)]);
      return receiver.received.length >= 30 || undefined;
    });
    await Promise.all([deliverDue(test), deliverDue(other)]);
    await other.close();
    expect(begun.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 30]);
    const events = receiver.received.map(({ json }) => json.data.id);
    expect(events).toHaveLength(30);
    expect(new Set(events).size).toBe(30);
  });

  it('finds what was begun by its pushes, not by walking all of the subscription', async () => {
    await burst(test, 3);
    const { id } = await subscribe(test, receiver);
    const statements = await statementsOf(test, () => replay(id));
    const explain = kind === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
    const plans = [];
    for (const { query, parameters } of statements) {
      if (!/^SELECT[^]* FROM delivery\b[^]* event_id IN/.test(query)) continue;
      plans.push(JSON.stringify(await sql(test).query(`${explain} ${query}`, parameters)));
    }
    expect(plans.length).toBeGreaterThan(0);
    for (const plan of plans) expect(plan).toMatch(/"key":"delivery_event"|INDEX delivery_event /);
  });

  it('builds all calls that begin at once before the first is made', async () => {
    await burst(test, 3);
    const { id } = await subscribe(test, receiver, {
      format: 'wechat',
      componentAppId: COMPONENT.appid,
    });
    const built = vi.spyOn(test.app.get(WechatFormat), 'post');
    const called = vi.spyOn(test.app.get(TargetClient), 'post');
    expect(await replay(id)).toBe(3);
    await deliverDue(test);
    const [builds, calls] = [built, called].map(({ mock }) => mock.invocationCallOrder);
    built.mockRestore();
    called.mockRestore();
    expect([builds?.length, calls?.length]).toEqual([3, 3]);
    expect(Math.max(...builds!)).toBeLessThan(Math.min(...calls!));
  });

  it('tells a responder of what it was meant to answer, disabled or not', async () => {
    const account = 'wx00000000000000a1';
    await arrives(test, { Content: 'for all' });
    await arrives(test, { Content: 'for the account' }, account);
    const { id } = await subscribe(test, receiver, { mode: 'responder', enabled: false });
    await subscribe(test, receiver, { mode: 'responder', authorizerAppId: account });
    expect(await replay(id)).toBe(1);
    await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: true });
    await deliverDue(test);
    expect(receiver.received.map(({ json }) => json.data.fields.Content)).toEqual(['for all']);
  });

  it.each([
    ['what was not delivered', 'undelivered', ['dead', 'fails', 'without']],
    ['everything', 'all', ['cancelled', 'dead', 'fails', 'taken', 'without']],
  ])('delivers %s', async (_, status, contents) => {
    const { id } = await subscribe(test, receiver);
    await arrives(test, { Content: 'taken' });
    await deliverDue(test);
    receiver.answer({ status: 500 });
    await arrives(test, { Content: 'fails' });
    await arrives(test, { Content: 'dead' });
    await arrives(test, { Content: 'cancelled' });
    await deliverDue(test);
    const [cancelled, dead] = await deliveries(test, { status: 'pending' });
    await test.hub.post(`/admin/deliveries/${cancelled.id}/cancel`);
    await sql(test).query(
      `UPDATE delivery SET status = 'dead', next_attempt_at = NULL WHERE id = '${dead.id}'`,
    );
    await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: false });
    await arrives(test, { Content: 'without' });
    await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: true });
    receiver.clear();
    receiver.answer({});
    const range = { ...sinceBegin(), status };
    const counted = await test.hub.post('/admin/subscriptions/preview', {
      subscription: id,
      ...range,
    });
    expect(counted.json.replayed).toBe(contents.length);
    const { json } = await test.hub.post(`/admin/subscriptions/${id}/replay`, range);
    expect(json).toEqual({ replayed: contents.length });
    await deliverDue(test);
    const said = receiver.received.map(({ json: body }) => body.data.fields.Content);
    expect(said.toSorted()).toEqual(contents);
  });

  it('leaves what is due already, and counts it in no preview', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await deliverDue(test);
    await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: false });
    test.clock.advance(HOUR);
    const body = { subscription: id, ...sinceBegin() };
    const counted = await test.hub.post('/admin/subscriptions/preview', body);
    expect([counted.json.replayed, await replay(id)]).toEqual([0, 0]);
  });

  it('refuses a range whose end is not later than its beginning', async () => {
    const { id } = await subscribe(test, receiver);
    const range = { from: iso(from), to: iso(from) };
    const answers = [
      await test.hub.post(`/admin/subscriptions/${id}/replay`, range),
      await test.hub.post('/admin/subscriptions/preview', { subscription: id, ...range }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 400]);
    expect(answers[0]?.json.error.message).toContain('to: must be later than from');
  });

  it('tells nobody of the release check', async () => {
    const fields = textFields(test, { ToUserName: 'gh_3c884a361561', Content: 'QUERY_AUTH_CODE:' });
    await pushMessage(test, fields, { account: CHECK_ACCOUNT });
    const { id } = await subscribe(test, receiver);
    expect(await replay(id)).toBe(0);
    await deliverDue(test);
    expect(receiver.received).toEqual([]);
  });

  it('sends no late reply: neither for what was never delivered, nor for what is again', async () => {
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    await settled(test);
    test.clock.advance(MINUTE);
    from = test.clock.now();
    await arrives(test, {}, account);
    const values = { mode: 'responder', lateReply: true, kinds: ['message'] };
    const { id } = await subscribe(test, receiver, values);
    receiver.answer({ ...text('never') });
    expect(await replay(id)).toBe(1);
    await deliverDue(test);
    expect(await replay(id)).toBe(1);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(2);
    expect(test.simulator.customMessages.last()).toEqual([]);
    const [delivery] = await deliveries(test, { subscription: id });
    const { history } = await deliveryOf(test, delivery.id);
    // Nobody waits for the answer to a push of long ago, so it is not too late.
    expect(history.map(({ error }: any) => error)).toEqual([null, null]);
  });
});
