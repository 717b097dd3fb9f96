import { beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliveries,
  settled,
  subscribe,
  subscriptionOf,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { ACCOUNT } from '../support/message-pushes.js';
import { subscriptionView } from '../../src/subscription/subscription.views.js';
import { StatisticsRecorder } from '../../src/statistics/statistics.recorder.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import type { WebhookReceiver } from '../support/webhook-receiver.js';

const ALWAYS = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };

describe.each(databaseKinds())('what is seen of a subscription on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  const post = (path: string, body: unknown) => test.hub.post(path, body);

  it('has what waits, what was taken last, and how a day went', async () => {
    const { id } = await subscribe(test, receiver);
    const other = await subscribe(test, receiver, { types: ['nothing'] });
    await arrives(test);
    await settled(test);
    const at = test.clock.now();
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    await test.app.get(StatisticsRecorder).flush();
    const activity = {
      pending: 1,
      lastDeliveredAt: new Date(at).toISOString(),
      lastDay: { taken: 1, refused: 1, unreachable: 0 },
    };
    expect(await subscriptionOf(test, id)).toMatchObject(activity);
    const { json } = await test.hub.get('/admin/subscriptions');
    expect(json).toMatchObject([
      { id, ...activity },
      { id: other.id, pending: 0, lastDeliveredAt: null, lastDay: { taken: 0, refused: 0 } },
    ]);
    // Failing since the second push: nothing that a failure leaves in the row is shown beside the view.
    expect(json[0].failingSince).toEqual(expect.any(String));
    expect(() => json.map((one: unknown) => subscriptionView.strict().parse(one))).not.toThrow();
    const split = '/admin/statistics/subscriptions';
    const latency = { count: 2, p50Ms: expect.any(Number), p99Ms: expect.any(Number) };
    expect((await test.hub.get(split)).json.subscriptions).toEqual([
      { id, taken: 1, refused: 1, unreachable: 0, latency },
    ]);
    expect(
      (await test.hub.get(`${split}?component=${COMPONENT.appid}`)).json.subscriptions,
    ).toEqual([expect.objectContaining({ id, taken: 1 })]);
    expect((await test.hub.get(`${split}?component=wxother`)).json.subscriptions).toEqual([]);
    const timed = (await test.hub.get('/admin/statistics?kind=delivery')).json.latencies;
    expect(timed).toMatchObject([{ kind: 'delivery', count: 2, points: [{ count: 2 }] }]);
    test.clock.advance(26 * 3_600_000);
    expect((await subscriptionOf(test, id)).lastDay).toMatchObject({ taken: 0, refused: 0 });
  });

  it('shows of a test what was sent and answered, without what signs it', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({
      status: 403,
      headers: { 'set-cookie': 'session=fake-cookie-of-the-target', 'x-trace': '7' },
      body: `no: ${'x'.repeat(5000)}`,
    });
    const { json } = await post(`/admin/subscriptions/${id}/test`, { kind: 'event' });
    const [call] = receiver.received;
    expect(json).toMatchObject({
      taken: false,
      status: 403,
      request: {
        url: receiver.url,
        headers: { 'webhook-id': call?.id, 'content-type': 'application/json' },
        body: call?.body,
      },
      answer: { headers: { 'x-trace': '7' } },
    });
    expect(json.answer.body).toBe(`no: ${'x'.repeat(2044)}`);
    const text = JSON.stringify(json);
    expect(text).not.toContain(call?.headers['webhook-signature']);
    expect(text).not.toContain('fake-cookie-of-the-target');
    receiver.answer({ hang: true });
    const hanging = (await post(`/admin/subscriptions/${id}/test`, {})).json;
    expect(hanging).toMatchObject({ status: null, request: { url: receiver.url }, answer: null });
  });

  it('tests what is no subscription yet, and stores nothing of it', async () => {
    receiver.answer({ body: 'fine' });
    const body = { url: receiver.url, kind: 'event', format: 'raw' };
    const { status, json } = await post('/admin/subscriptions/test', body);
    expect([status, json]).toMatchObject([200, { taken: true, answer: { body: 'fine' } }]);
    expect(receiver.received[0]?.body).toContain('<Event><![CDATA[subscribe]]>');
    expect((await test.hub.get('/admin/subscriptions')).json).toEqual([]);
    const refused = await post('/admin/subscriptions/test', { url: 'http://10.0.0.1/' });
    expect([refused.status, refused.json.error.code]).toEqual([400, 'target_refused']);
    const records = await sql(test).query(
      "SELECT target, outcome FROM audit_record WHERE action = 'subscription.test' ORDER BY id",
    );
    expect(records.slice(-2)).toEqual([
      { target: receiver.url, outcome: 'ok' },
      { target: 'http://10.0.0.1/', outcome: 'target_refused' },
    ]);
  });

  it('counts before a replay what that would begin', async () => {
    await sql(test).query('DELETE FROM callback_event');
    const { id } = await subscribe(test, receiver);
    for (let count = 0; count < 3; count += 1) await arrives(test);
    await arrives(test, {}, 'wxanotheraccount1');
    await settled(test);
    await sql(test).query(
      "UPDATE delivery SET status = 'dead' WHERE subscription_id = ? AND authorizer_appid <> ?",
      [id, ACCOUNT],
    );
    const counted = async (body: object) =>
      (await post('/admin/subscriptions/preview', { ...ALWAYS, ...body })).json;
    expect(await counted({ subscription: id })).toEqual({
      pushes: 4,
      replayed: 4,
      complete: true,
    });
    expect(await counted({ subscription: id, status: 'dead' })).toMatchObject({ replayed: 1 });
    expect(await counted({ authorizerAppId: ACCOUNT })).toMatchObject({ pushes: 3, replayed: 3 });
    expect(await counted({ types: ['image'] })).toMatchObject({ pushes: 0, replayed: 0 });
    expect(await counted({ from: '2099-01-01T00:00:00Z' })).toMatchObject({ pushes: 0 });
    expect((await counted({ subscription: 'none' })).error.code).toBe('subscription_unknown');
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
    const { json } = await post(`/admin/subscriptions/${id}/replay`, { ...ALWAYS, status: 'dead' });
    expect(json).toEqual({ replayed: 1 });
    await settled(test);
  });
});
