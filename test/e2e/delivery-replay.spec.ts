import { beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliverDue,
  deliveries,
  deliveryOf,
  eventArrives,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, sql } from '../support/token-world.js';
import type { WebhookReceiver } from '../support/webhook-receiver.js';

describe.each(databaseKinds())('/admin/deliveries on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  const post = (path: string, body?: unknown) => test.hub.post(path, body);
  const iso = (ms: number): string => new Date(ms).toISOString();
  const audited = async (target: string): Promise<string[]> => {
    const rows = await sql(test).query('SELECT action FROM audit_record WHERE target = ?', [
      target,
    ]);
    return rows.map(({ action }: { action: string }) => action);
  };

  it('list deliveries by subscription, status and event, page by page', async () => {
    const { id } = await subscribe(test, receiver);
    const other = await subscribe(test, receiver, { kinds: ['event'] });
    for (let count = 0; count < 5; count += 1) await arrives(test);
    await settled(test);
    const ids: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const query: string = `subscription=${id}&limit=2${next && `&before=${next}`}`;
      const { json } = await test.hub.get(`/admin/deliveries?${query}`);
      ids.push(...json.deliveries.map((delivery: any) => delivery.id));
      next = json.next;
    }
    expect(ids).toHaveLength(5);
    expect(ids).toEqual([...new Set(ids)].toSorted().toReversed());
    const [first] = await deliveries(test, { subscription: id });
    expect(await deliveries(test, { event: first.eventId })).toHaveLength(1);
    expect(await deliveries(test, { subscription: id, status: 'dead' })).toEqual([]);
    expect(await deliveries(test, { subscription: other.id })).toEqual([]);
    expect((await test.hub.get('/admin/deliveries?status=nonsense')).status).toBe(400);
  });

  it('attempt one delivery at once; one that fails keeps its schedule', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    const [{ id: deliveryId }] = await deliveries(test, { subscription: id });
    const before = await deliveryOf(test, deliveryId);
    const failed = await post(`/admin/deliveries/${deliveryId}/replay`);
    expect(failed.json).toMatchObject({ taken: false, status: 500 });
    const after = await deliveryOf(test, deliveryId);
    expect({ ...after, history: [] }).toEqual({ ...before, history: [] });
    expect(after.history.map(({ cause }: any) => cause)).toEqual(['schedule', 'manual']);

    receiver.answer({});
    const taken = await post(`/admin/deliveries/${deliveryId}/replay`);
    expect(taken.json).toMatchObject({ taken: true, status: 200, error: null });
    expect(await deliveryOf(test, deliveryId)).toMatchObject({ status: 'delivered', attempts: 1 });
    test.clock.advance(HOUR);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(3);
    expect(new Set(receiver.received.map((call) => call.id))).toEqual(new Set([deliveryId]));
    expect(await audited(deliveryId)).toEqual(['delivery.replay', 'delivery.replay']);
  });

  it('deliver a time range again: all of it, with what was never delivered', async () => {
    test.clock.advance(MINUTE);
    const from = test.clock.now();
    await arrives(test, { Content: 'before it was there' });
    const { id } = await subscribe(test, receiver, { kinds: ['message'] });
    test.clock.advance(MINUTE);
    await arrives(test, { Content: 'delivered' });
    await eventArrives(test, 'not_wanted');
    await settled(test);
    test.clock.advance(MINUTE);
    const to = test.clock.now();
    await arrives(test, { Content: 'after the range' });
    await settled(test);
    receiver.clear();
    const inBeijing = iso(to + 8 * HOUR).replace('Z', '+08:00');
    const range = { from: iso(from), to: inBeijing };
    const { json } = await post(`/admin/subscriptions/${id}/replay`, range);
    expect(json).toEqual({ replayed: 2 });
    await receiver.arrived(2);
    await settled(test);
    const contents = receiver.received.map((call) => call.json.data.fields.Content);
    expect(contents.toSorted()).toEqual(['before it was there', 'delivered']);
    expect(await deliveries(test, { subscription: id, status: 'delivered' })).toHaveLength(3);
  });

  it('deliver again those that are dead, or those that were delivered', async () => {
    const from = test.clock.now();
    const { id } = await subscribe(test, receiver);
    receiver.answer(({ json }) => ({ status: json.data.fields.Content === 'bad' ? 500 : 200 }));
    for (const content of ['bad', 'good', 'good', 'pending']) {
      await arrives(test, { Content: content });
    }
    await settled(test);
    await sql(test).query(
      "UPDATE delivery SET status = 'dead', next_attempt_at = NULL WHERE status = 'pending'",
    );
    const [pending] = await deliveries(test, { subscription: id });
    await sql(test).query(
      "UPDATE delivery SET status = 'pending', next_attempt_at = ? WHERE id = ?",
      [from + HOUR, pending.id],
    );
    receiver.clear();
    receiver.answer({});
    const range = { from: iso(from), to: iso(test.clock.now() + 1) };
    const replay = async (status: string): Promise<number> => {
      const { json } = await post(`/admin/subscriptions/${id}/replay`, { ...range, status });
      await settled(test);
      return json.replayed;
    };
    expect(await replay('dead')).toBe(1);
    expect(receiver.received.map((call) => call.json.data.fields.Content)).toEqual(['bad']);
    expect(await replay('dead')).toBe(0);
    expect(await replay('delivered')).toBe(3);
    expect(receiver.received).toHaveLength(4);
    expect((await deliveryOf(test, pending.id)).status).toBe('pending');
    expect(await audited(id)).toEqual(Array(3).fill('subscription.replay'));
  });

  it('deliver again more than one batch takes', async () => {
    test.clock.advance(MINUTE);
    const from = test.clock.now();
    const { id } = await subscribe(test, receiver, { enabled: false });
    // More arrive in one millisecond than a batch takes, and some later.
    await burst(test, 205);
    test.clock.advance(1);
    await burst(test, 5);
    const range = { from: iso(from), to: iso(test.clock.now() + 1) };
    const { json } = await post(`/admin/subscriptions/${id}/replay`, range);
    expect(json).toEqual({ replayed: 210 });
  });
});
