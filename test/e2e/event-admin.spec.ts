import { beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliveries,
  eventArrives,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import type { WebhookReceiver } from '../support/webhook-receiver.js';

describe.each(databaseKinds())('what a person does with pushes on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  const events = async (query: string): Promise<any[]> =>
    (await test.hub.get(`/admin/events?${query}`)).json.events;
  const records = async (action: string): Promise<number> => {
    const count = 'SELECT COUNT(*) AS count FROM audit_record WHERE action = ?';
    return Number((await sql(test).query(count, [action]))[0].count);
  };

  it('looks at one without its content: nothing is decrypted, nothing recorded', async () => {
    await subscribe(test, receiver);
    receiver.answer({ status: 500, body: 'why' });
    await arrives(test);
    await settled(test);
    const [{ id }] = await events('kind=message&limit=1');
    const before = await records('event.reveal');
    const { json } = await test.hub.get(`/admin/events/${id}?content=false`);
    expect(json).toMatchObject({ id, raw: null, fields: null, unreadable: null, msgType: 'text' });
    expect(json.deliveries[0].history).toMatchObject([{ hasAnswer: true, answer: null }]);
    expect(await records('event.reveal')).toBe(before);
    const whole = (await test.hub.get(`/admin/events/${id}`)).json;
    expect(whole.raw).toContain('<xml>');
    expect(whole.deliveries[0].history).toMatchObject([{ answer: 'why' }]);
    expect(await records('event.reveal')).toBe(before + 1);
  });

  it('finds those with a dead delivery, page after page, and those with an outcome', async () => {
    const { id } = await subscribe(test, receiver);
    for (let count = 0; count < 3; count += 1) await arrives(test);
    await settled(test);
    const dead = "UPDATE delivery SET status = 'dead' WHERE subscription_id = ?";
    await sql(test).query(dead, [id]);
    const first = (await test.hub.get('/admin/events?delivery=dead&limit=2')).json;
    expect(first.events).toHaveLength(2);
    const rest = await events(`delivery=dead&limit=2&before=${first.next}`);
    const found = [...first.events, ...rest];
    expect(new Set(found.map((one) => one.id)).size).toBe(3);
    expect(found.every(({ deliveryCounts }) => deliveryCounts.dead === 1)).toBe(true);
    expect(await events('delivery=dead&type=image')).toEqual([]);
    expect((await events('outcome=success')).length).toBeGreaterThanOrEqual(3);
    expect(await events('outcome=reply')).toEqual([]);
  });

  it('finds those that came for unknown accounts', async () => {
    await sql(test).query(
      'INSERT INTO authorizer (component_appid, authorizer_appid, status, type, created_at, ' +
        "updated_at) VALUES (?, 'wxknown', 'active', 'unknown', 0, 0)",
      [COMPONENT.appid],
    );
    await arrives(test, {}, 'wxnobodyknows1');
    await arrives(test, {}, 'wxknown');
    const all = await events('limit=200');
    const found = await events('unknownAccount=true');
    expect(found).toEqual(all.filter((one: any) => one.unknownAccount));
    expect(found[0]).toMatchObject({ authorizerAppId: 'wxnobodyknows1' });
    expect(found.length).toBeLessThan(all.length);
    expect(await events('unknownAccount=true&account=wxnobodyknows1')).toEqual([found[0]]);
    const [first, second] = found;
    const [next] = await events(`unknownAccount=true&limit=1&before=${first.id}`);
    expect(next).toEqual(second);
  });

  it('delivers one to chosen subscriptions, but tickets to none', async () => {
    await arrives(test);
    const [push] = await events('kind=message&limit=1');
    const path = `/admin/events/${push.id}/replay`;
    const { id } = await subscribe(test, receiver, { types: ['image'] });
    const first = await test.hub.post(path, { subscriptions: [id] });
    expect([first.status, first.json]).toEqual([200, { replayed: 1 }]);
    await receiver.arrived(1);
    await settled(test);
    expect(receiver.received[0]?.json.data.id).toBe(push.id);
    expect((await test.hub.post(path, { subscriptions: [id] })).json).toEqual({ replayed: 1 });
    await receiver.arrived(2);
    await settled(test);
    expect(await deliveries(test, { event: push.id })).toMatchObject([{ type: 'text' }]);
    const none = await test.hub.post(path, { subscriptions: ['none'] });
    expect([none.status, none.json.error.code]).toEqual([404, 'subscription_unknown']);
    await test.simulator.pushTicket(COMPONENT.appid);
    const [ticket] = await events('kind=authorization&limit=1');
    const refused = await test.hub.post(`/admin/events/${ticket.id}/replay`, {
      subscriptions: [id],
    });
    expect([refused.status, refused.json.error.code]).toEqual([409, 'push_for_hub']);
    const gone = await test.hub.post('/admin/events/none/replay', { subscriptions: [id] });
    expect(gone.json.error.code).toBe('event_unknown');
  });

  it('finds the authorization events of an account', async () => {
    for (const account of ['wxone', 'wxtwo']) {
      await eventArrives(test, 'unauthorized', { AuthorizerAppid: account });
    }
    const { json } = await test.hub.get('/admin/authorizations/events?account=wxone');
    expect(json.events).toMatchObject([{ authorizerAppId: 'wxone' }]);
  });
});
