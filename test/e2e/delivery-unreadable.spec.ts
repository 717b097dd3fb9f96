import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../support/databases.js';
import {
  arrives,
  deliverDue,
  deliveries,
  deliveryHub,
  settled,
  subscribe,
  subscriptionOf,
} from '../support/delivery-world.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { sql } from '../support/token-world.js';
import { isSignedBy, WebhookReceiver } from '../support/webhook-receiver.js';

const LOST_KEY = `enc:v1:lost:${'A'.repeat(60)}`;
const DAMAGED = 'enc:v1:t1:AAAA';

describe.each(databaseKinds())('a subscription that cannot be read on %s', (kind) => {
  let database: TestDatabase;
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeEach(async () => {
    database = await createTestDatabase(kind);
    test = await deliveryHub({ database });
    receiver = await WebhookReceiver.start();
  });
  afterEach(async () => {
    await test.close();
    await receiver.close();
    await database.drop();
  });

  /** Changes a column behind the hub's back, and lets it notice. */
  async function damage(id: string, column: string, value: string): Promise<void> {
    await sql(test).query(`UPDATE subscription SET ${column} = ? WHERE id = ?`, [value, id]);
    test.clock.advance(10_000);
  }

  async function restart(): Promise<void> {
    await test.close();
    test = await deliveryHub({ database, clock: test.clock });
  }

  it.each([
    ['a damaged secret', 'secret', DAMAGED],
    ['a secret under a lost key', 'secret', LOST_KEY],
    ['broken types', 'types', '["text"'],
    ['kinds that are no list', 'kinds', '{"a":1}'],
  ])(
    'for %s is shown and left out; the hub starts, the others are notified',
    async (_, column, value) => {
      const { id } = await subscribe(test, receiver);
      const well = await subscribe(test, receiver, { name: 'Well' });
      await damage(id, column, value);
      await restart();
      await arrives(test);
      await settled(test);
      expect(receiver.received.map((call) => isSignedBy(call, well.secret))).toEqual([true]);
      const { json } = await test.hub.get('/admin/subscriptions');
      expect(json).toHaveLength(2);
      expect(json[0]).toMatchObject({ id, name: 'A service', error: { code: expect.any(String) } });
      expect(json[1].error).toBeUndefined();
      test.clock.advance(10_000);
      await subscriptionOf(test, id);
      expect(logLines(id).filter(({ level }) => level === 'error')).toHaveLength(1);
      const tried = await test.hub.post(`/admin/subscriptions/${id}/test`);
      expect(tried.json.error).toMatchObject({ code: 'subscription_unreadable' });
      expect(tried.status).toBe(409);
    },
  );

  it('for its secret waits for a new one: what is pending is delivered then', async () => {
    receiver.answer({ status: 500 });
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    await damage(id, 'secret', LOST_KEY);
    receiver.clear();
    receiver.answer({});
    await arrives(test);
    await deliverDue(test);
    expect(receiver.received).toEqual([]);
    expect(await deliveries(test, { subscription: id, status: 'pending' })).toHaveLength(2);
    const { json } = await test.hub.post(`/admin/subscriptions/${id}/rotate-secret`);
    expect(json).toMatchObject({ previousSecretUntil: null });
    expect(json.error).toBeUndefined();
    await deliverDue(test);
    expect(receiver.received.map((call) => isSignedBy(call, json.secret))).toEqual([true, true]);
  });

  it('for the secret before the last one signs with the last one only', async () => {
    const { id } = await subscribe(test, receiver);
    const { json } = await test.hub.post(`/admin/subscriptions/${id}/rotate-secret`);
    await damage(id, 'previous_secret', DAMAGED);
    await arrives(test);
    await settled(test);
    expect(receiver.received.map((call) => isSignedBy(call, json.secret))).toEqual([true]);
    expect(await subscriptionOf(test, id)).toMatchObject({ previousSecretUntil: null });
  });

  it('can be changed: what is not given stays as it is, a new list repairs it', async () => {
    const { id } = await subscribe(test, receiver, { types: ['image'] });
    await damage(id, 'types', '["text"');
    const renamed = await test.hub.patch(`/admin/subscriptions/${id}`, { name: 'Renamed' });
    expect(renamed.json).toMatchObject({ name: 'Renamed', error: { code: expect.any(String) } });
    const repaired = await test.hub.patch(`/admin/subscriptions/${id}`, { types: ['text'] });
    expect(repaired.json).toMatchObject({ name: 'Renamed', types: ['text'] });
    expect(repaired.json.error).toBeUndefined();
    await arrives(test);
    await settled(test);
    expect(receiver.received).toHaveLength(1);
  });

  it('can be removed, with what is pending', async () => {
    receiver.answer({ status: 500 });
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    await damage(id, 'secret', DAMAGED);
    expect((await test.hub.request('DELETE', `/admin/subscriptions/${id}`)).status).toBe(200);
    expect((await test.hub.get('/admin/subscriptions')).json).toEqual([]);
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
  });

  it('for the responder of a message is not called, and no other one answers for it', async () => {
    const other = await WebhookReceiver.start();
    const { id } = await subscribe(test, receiver, { mode: 'responder', types: ['text'] });
    await subscribe(test, other, { mode: 'responder' });
    await damage(id, 'secret', DAMAGED);
    await arrives(test);
    await settled(test);
    expect([...receiver.received, ...other.received]).toEqual([]);
    expect(await deliveries(test, { subscription: id, status: 'pending' })).toHaveLength(1);
    await other.close();
  });

  it('keeps no hub from starting, when none can be read; they are as soon as they can', async () => {
    await subscribe(test, receiver);
    const rename = (from: string, to: string): Promise<unknown> =>
      sql(test).query(`ALTER TABLE ${from} RENAME TO ${to}`);
    await rename('subscription', 'subscription_gone');
    await restart();
    const fields = textFields(test);
    expect((await pushMessage(test, fields)).status).toBeGreaterThanOrEqual(500);
    await rename('subscription_gone', 'subscription');
    test.clock.advance(2000);
    // Nothing was recorded: WeChat pushes it again.
    await pushMessage(test, fields);
    await receiver.arrived(1);
    await settled(test);
  });
});
