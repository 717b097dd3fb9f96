import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PushRetention } from '../../src/delivery/push.retention.js';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds, mysqlOnly } from '../support/databases.js';
import {
  arrives,
  deliverDue,
  deliveries,
  deliveryHub,
  eventArrives,
  settled,
  subscribe,
  unsubscribeAll,
} from '../support/delivery-world.js';
import { statementsOf, storedMessage, storeEvents } from '../support/event-store-world.js';
import { eventFields, pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { addPlatform, HOUR, MINUTE, prime, showTime, sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const DAY = 24 * HOUR;
const env = { EVENT_RETENTION_DAYS: '20', MESSAGE_RETENTION_DAYS: '2' };

/** The hourly removal, of a hub that WeChat has just shown the time. */
async function sweep(test: TestApp): Promise<void> {
  await showTime(test);
  await sweepUnconfirmed(test);
}

const sweepUnconfirmed = ({ app }: TestApp): Promise<void> => app.get(PushRetention).sweep();

/** What the store has of a kind of push, by its type, newest first. */
async function stored({ hub }: TestApp): Promise<string[]> {
  const { json } = await hub.get('/admin/events');
  return json.events.map((one: any) => one.event ?? one.infoType ?? one.msgType);
}

describe.each(databaseKinds())('the removal of old pushes on %s', (kind) => {
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    test = await deliveryHub({ database: kind, env });
    receiver = await WebhookReceiver.start();
  });
  beforeEach(async () => {
    await settled(test);
    await unsubscribeAll(test);
    receiver.clear();
    receiver.answer({});
    await sql(test).query('DELETE FROM delivery');
    await sql(test).query('DELETE FROM callback_event');
  });
  afterAll(async () => {
    await test.close();
    await receiver.close();
  });

  it('keeps authorization events and tickets for one time, messages and events for another', async () => {
    await prime(test);
    await eventArrives(test, 'notify_third_fastverifybetaapp');
    await arrives(test);
    await pushMessage(test, eventFields(test, 'CLICK'));
    test.clock.advance(2 * DAY);
    await arrives(test, { MsgType: 'image' });
    const all = ['image', 'CLICK', 'text'];
    const events = ['notify_third_fastverifybetaapp', 'component_verify_ticket'];
    // What is 2 days old is kept, what is older is not.
    await sweep(test);
    expect(await stored(test)).toEqual([...all, ...events]);
    test.clock.advance(MINUTE);
    await sweep(test);
    expect(await stored(test)).toEqual(['image', ...events]);
    test.clock.advance(18 * DAY - MINUTE);
    await sweep(test);
    expect(await stored(test)).toEqual(events);
    test.clock.advance(MINUTE);
    await sweep(test);
    expect(await stored(test)).toEqual([]);
  });

  it.each([
    ['whose clock has jumped 40 days ahead', 40 * DAY],
    ['whose clock has jumped 40 days back', -40 * DAY],
  ])('leaves everything to a hub %s, and goes on when WeChat shows the time', async (_, jump) => {
    await showTime(test);
    await arrives(test);
    const warnings = logLines('clock is not confirmed').length;
    test.clock.advance(jump);
    await sweepUnconfirmed(test);
    await sweepUnconfirmed(test);
    expect(await stored(test)).toEqual(['text']);
    expect(logLines('clock is not confirmed').slice(warnings)).toHaveLength(1);
    test.clock.advance(3 * DAY - jump);
    // A push of WeChat's shows it as well.
    await arrives(test, { MsgType: 'image' });
    await sweepUnconfirmed(test);
    expect(await stored(test)).toEqual(['image']);
  });

  it('goes through every platform', async () => {
    const { appid } = await addPlatform(test);
    expectSuccess(await pushMessage(test, textFields(test), { component: appid }));
    await arrives(test);
    test.clock.advance(3 * DAY);
    await sweep(test);
    expect(await stored(test)).toEqual([]);
  });

  it('keeps a push that still waits for a delivery, and removes it when that has ended', async () => {
    receiver.answer({ status: 500 });
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    await sql(test).query("UPDATE callback_event SET msg_type = 'waits'");
    await unsubscribed(() => arrives(test), id);
    test.clock.advance(3 * DAY);
    await sweep(test);
    expect(await stored(test)).toEqual(['waits']);
    receiver.answer({});
    receiver.clear();
    await deliverDue(test);
    await receiver.arrived(1);
    expect(await deliveries(test, { subscription: id, status: 'delivered' })).toHaveLength(1);
    await sweep(test);
    expect(await stored(test)).toEqual([]);
  });

  it('gives a push up 30 days after its time, though nobody could take it', async () => {
    const { id } = await subscribe(test, receiver, { url: 'http://127.0.0.1:9/' });
    await arrives(test);
    await settled(test);
    test.clock.advance(32 * DAY);
    await sweep(test);
    expect(await stored(test)).toEqual(['text']);
    test.clock.advance(MINUTE);
    await sweep(test);
    expect(await stored(test)).toEqual([]);
    expect(await deliveries(test, { subscription: id })).toEqual([]);
  });

  it('removes a push with its deliveries and their attempts, and no other', async () => {
    const { id } = await subscribe(test, receiver);
    await arrives(test, { Content: 'old' });
    await settled(test);
    const [old] = await deliveries(test, { subscription: id });
    test.clock.advance(2 * DAY + MINUTE);
    await arrives(test, { Content: 'new' });
    await settled(test);
    const [young] = await deliveries(test, { subscription: id });
    await sweep(test);
    expect(await deliveries(test, { subscription: id })).toEqual([young]);
    const attempts = await sql(test).query('SELECT delivery_id FROM delivery_attempt');
    const attempted = attempts.map((one: { delivery_id: string }) => one.delivery_id);
    expect(attempted).toContain(young.id);
    expect(attempted).not.toContain(old.id);
    const replay = await test.hub.post(`/admin/deliveries/${old.id}/replay`);
    expect(replay.status).toBe(404);
  });

  it('removes deliveries whose push is gone, when no push of their time can be there', async () => {
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    await sql(test).query('DELETE FROM callback_event');
    test.clock.advance(50 * DAY);
    await sweep(test);
    expect(await deliveries(test, { subscription: id })).toHaveLength(1);
    test.clock.advance(MINUTE);
    await sweep(test);
    expect(await deliveries(test, { subscription: id })).toEqual([]);
  });

  it('keeps no push for a subscription that is gone, and cancels what still waits for it', async () => {
    receiver.answer({ status: 500 });
    const { id } = await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    // As if another host had begun them before it knew.
    await sql(test).query('DELETE FROM subscription WHERE id = ?', [id]);
    await sweep(test);
    expect(await deliveries(test, { subscription: id })).toMatchObject([{ status: 'cancelled' }]);
    await sql(test).query("UPDATE delivery SET status = 'pending'");
    test.clock.advance(2 * DAY + MINUTE);
    await sweep(test);
    expect(await stored(test)).toEqual([]);
    expect(await deliveries(test, { subscription: id })).toEqual([]);
  });

  it('removes thousands while pushes are answered, and passes those by that it keeps', async () => {
    const old = test.clock.now() - 3 * DAY;
    const { id } = await subscribe(test, receiver, { enabled: false });
    // More than a batch of one millisecond, and the oldest of them must stay.
    const many = Array.from({ length: 3000 }, (_, index) =>
      storedMessage(old + Math.floor(index / 1200)),
    );
    await storeEvents(test, many);
    const kept = many.slice(0, 600).map((one) => one.id);
    await pendingDeliveries(kept, id);
    const removal = { over: false };
    const swept = sweep(test).then(() => (removal.over = true));
    let answered = 0;
    let slowest = 0;
    while (!removal.over) {
      const began = performance.now();
      await arrives(test);
      slowest = Math.max(slowest, performance.now() - began);
      if (!removal.over) answered += 1;
    }
    await swept;
    const rows = await sql(test).query('SELECT id FROM callback_event WHERE received_at < ?', [
      test.clock.now() - 2 * DAY,
    ]);
    expect(new Set(rows.map((row: { id: string }) => row.id))).toEqual(new Set(kept));
    expect(answered).toBeGreaterThan(0);
    expect(slowest).toBeLessThan(1000);
    expect(logLines('Removed old pushes').at(-1)).toMatchObject({ removed: 2400 });
  });

  /** Something happens while a subscription takes nothing. */
  async function unsubscribed(work: () => Promise<void>, id: string): Promise<void> {
    await test.hub.patch(`/admin/subscriptions/${id}`, { types: ['nothing'] });
    await work();
    await test.hub.patch(`/admin/subscriptions/${id}`, { types: null });
  }

  async function pendingDeliveries(eventIds: string[], subscriptionId: string): Promise<void> {
    await sql(test).query(
      'INSERT INTO delivery (id, event_id, subscription_id, status, attempts, created_at) VALUES ' +
        eventIds.map(() => "(?, ?, ?, 'pending', 0, ?)").join(', '),
      eventIds.flatMap((eventId) => [eventId, eventId, subscriptionId, test.clock.now()]),
    );
  }
});

describe.each(mysqlOnly())('the search for old pushes among 10 000 on %s', (kind) => {
  it('reads none that are to stay', async () => {
    const test = await deliveryHub({ database: kind, env });
    const now = test.clock.now();
    const tickets = { kind: 'authorization', infoType: 'component_verify_ticket', account: null };
    await storeEvents(test, [
      ...Array.from({ length: 5000 }, (_, index) => storedMessage(now - index)),
      ...Array.from({ length: 5000 }, (_, index) => storedMessage(now - 3 * DAY - index, tickets)),
    ]);
    await sql(test).query('ANALYZE TABLE callback_event');
    await showTime(test);
    const statements = await statementsOf(test, () => sweepUnconfirmed(test));
    const plans = [];
    for (const { query, parameters } of statements) {
      if (!query.includes('callback_event')) continue;
      plans.push(...(await sql(test).query(`EXPLAIN ${query}`, parameters)));
    }
    // Where each group begins, and what is old in it.
    expect(plans.length).toBeGreaterThanOrEqual(5);
    for (const plan of plans) {
      const nothing = plan.table === null;
      expect(plan).toMatchObject(nothing ? {} : { key: 'callback_event_kind', type: 'range' });
      expect(plan.Extra).not.toContain('filesort');
    }
    await test.close();
  });
});
