import { beforeAll, describe, expect, it } from 'vitest';
import { gate } from '../support/gate.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliverDue,
  deliveries,
  passToRetry,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, showTime, sql } from '../support/token-world.js';
import type { WebhookReceiver, ReceivedWebhook } from '../support/webhook-receiver.js';

const FIRST = 'wx00000000000000a1';
const SECOND_ACCOUNT = 'wx00000000000000a2';

/** The texts of messages, in the order in which they arrived. */
function contents(calls: ReceivedWebhook[], account?: string): string[] {
  return calls
    .filter(({ json }) => account === undefined || json.data.authorizerAppId === account)
    .map(({ json }) => json.data.fields.Content);
}

describe.each(databaseKinds())('deliveries in order on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  /** Moves time on to when the oldest that is pending is tried again. */
  async function passToOldest(): Promise<void> {
    const oldest = (await deliveries(test, { status: 'pending' })).at(-1);
    test.clock.advance(Date.parse(oldest.nextAttemptAt) - test.clock.now());
  }

  it('are made one after another for each account, as the messages arrived', async () => {
    await subscribe(test, receiver, { ordered: true });
    // Later ones are answered sooner: one that does not wait overtakes.
    receiver.answer(({ json }) => ({ delayMs: 30 - 3 * Number(json.data.fields.Content) }));
    for (let number = 0; number < 8; number += 1) {
      await arrives(test, { Content: String(number) }, FIRST);
      await arrives(test, { Content: String(number) }, SECOND_ACCOUNT);
    }
    await receiver.arrived(16);
    await settled(test);
    const expected = Array.from({ length: 8 }, (_, number) => String(number));
    expect(contents(receiver.received, FIRST)).toEqual(expected);
    expect(contents(receiver.received, SECOND_ACCOUNT)).toEqual(expected);
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
  });

  it('have one call of an account under way at most, and several accounts at once', async () => {
    await subscribe(test, receiver, { ordered: true });
    const { opened: until, open: release } = gate();
    receiver.answer({ until });
    await Promise.all([burst(test, 5, FIRST), burst(test, 5, SECOND_ACCOUNT)]);
    await receiver.arrived(2);
    expect(receiver.open).toBe(2);
    receiver.answer({});
    release();
    await receiver.arrived(10);
    await settled(test);
    expect(receiver.received).toHaveLength(10);
  });

  it('that fail hold back their own account only', async () => {
    await subscribe(test, receiver, { ordered: true });
    receiver.answer(({ json }) => ({ status: json.data.authorizerAppId === FIRST ? 500 : 200 }));
    for (const content of ['a', 'b', 'c']) {
      await arrives(test, { Content: content }, FIRST);
      await arrives(test, { Content: content }, SECOND_ACCOUNT);
      await settled(test);
    }
    await deliverDue(test);
    expect(contents(receiver.received, SECOND_ACCOUNT)).toEqual(['a', 'b', 'c']);
    expect(contents(receiver.received, FIRST)).toEqual(['a']);

    receiver.answer({});
    test.clock.advance(6000);
    await deliverDue(test);
    expect(contents(receiver.received, FIRST)).toEqual(['a', 'a', 'b', 'c']);
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
  });

  it('go on behind one that is given up', async () => {
    await subscribe(test, receiver, { ordered: true });
    const refused = ({ json }: ReceivedWebhook) => ({
      status: json.data.fields.Content === 'bad' ? 500 : 200,
    });
    receiver.answer(refused);
    await arrives(test, { Content: 'bad' }, FIRST);
    await arrives(test, { Content: 'good' }, FIRST);
    await settled(test);
    for (let retry = 0; retry < 9; retry += 1) {
      expect(contents(receiver.received)).not.toContain('good');
      const oldest = (await deliveries(test, { status: 'pending' })).at(-1);
      test.clock.advance(Date.parse(oldest.nextAttemptAt) - test.clock.now());
      if (retry === 8) await showTime(test);
      await deliverDue(test);
    }
    expect(contents(receiver.received)).toEqual([...Array(10).fill('bad'), 'good']);
    const states = (await deliveries(test)).slice(0, 2).map(({ status }) => status);
    expect(states).toEqual(['delivered', 'dead']);
  });

  it('keep the order of many that wait behind a target that was down', async () => {
    await subscribe(test, receiver, { ordered: true });
    receiver.answer({ status: 500 });
    const sent = Array.from({ length: 60 }, (_, number) => String(number));
    for (const content of sent) await arrives(test, { Content: content }, FIRST);
    await settled(test);
    test.clock.advance(MINUTE);
    await deliverDue(test);
    expect(new Set(contents(receiver.received))).toEqual(new Set(['0']));
    receiver.clear();
    receiver.answer({});
    test.clock.advance(10 * MINUTE);
    await deliverDue(test);
    expect(contents(receiver.received)).toEqual(sent);
  });

  it('go on when order is asked for later, or no more', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test, { Content: 'before' }, FIRST);
    await settled(test);
    await test.hub.patch(`/admin/subscriptions/${id}`, { ordered: true });
    await arrives(test, { Content: 'ordered' }, FIRST);
    await settled(test);
    receiver.clear();
    receiver.answer({});
    test.clock.advance(MINUTE);
    await deliverDue(test);
    expect(contents(receiver.received).toSorted()).toEqual(['before', 'ordered']);
    receiver.answer({ status: 500 });
    await arrives(test, { Content: 'still ordered' }, FIRST);
    await settled(test);
    await test.hub.patch(`/admin/subscriptions/${id}`, { ordered: false });
    receiver.answer({});
    test.clock.advance(MINUTE);
    await deliverDue(test);
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
  });

  it('go on at once behind one that a manual replay has delivered', async () => {
    await subscribe(test, receiver, { ordered: true });
    receiver.answer({ status: 500 });
    for (const content of ['a', 'b', 'c']) {
      await arrives(test, { Content: content }, FIRST);
      await settled(test);
    }
    await passToOldest();
    await deliverDue(test);
    receiver.clear();
    receiver.answer({});
    const waiting = await deliveries(test, { status: 'pending' });
    // One that is not the first of its key changes nothing for the others.
    await test.hub.post(`/admin/deliveries/${waiting.at(-2).id}/replay`);
    await settled(test);
    expect(contents(receiver.received)).toEqual(['b']);
    await test.hub.post(`/admin/deliveries/${waiting.at(-1).id}/replay`);
    await settled(test);
    expect(contents(receiver.received)).toEqual(['b', 'a', 'c']);
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
  });

  it('are due at once behind one that a manual replay has delivered', async () => {
    const { id } = await subscribe(test, receiver, { ordered: true });
    receiver.answer({ status: 500 });
    for (const content of ['a', 'b', 'c']) await arrives(test, { Content: content }, FIRST);
    await settled(test);
    await passToOldest();
    await deliverDue(test);
    const head = (await deliveries(test, { status: 'pending' })).at(-1);
    receiver.clear();
    receiver.answer({});
    // Nothing is sent while it is disabled; what the rows say shows when it is sent afterwards.
    await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: false });
    await test.hub.post(`/admin/deliveries/${head.id}/replay`);
    await settled(test);
    expect(contents(receiver.received)).toEqual(['a']);
    await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: true });
    await deliverDue(test);
    expect(contents(receiver.received)).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['is no longer stored', 'DELETE FROM callback_event WHERE id = ?'],
    [
      'is no longer readable, after its last attempt',
      "UPDATE callback_event SET payload = 'enc:v1:t1:AAAA' WHERE id = ?",
    ],
  ])('go on at once behind one whose push %s', async (_, statement) => {
    await subscribe(test, receiver, { ordered: true });
    receiver.answer({ status: 500 });
    for (const content of ['a', 'b', 'c']) await arrives(test, { Content: content }, FIRST);
    await settled(test);
    const head = (await deliveries(test, { status: 'pending' })).at(-1);
    await sql(test).query(statement, [head.eventId]);
    const begun = test.clock.now() - 61 * HOUR;
    const tried = 'UPDATE delivery SET attempts = 9, created_at = ? WHERE id = ?';
    await sql(test).query(tried, [begun, head.id]);
    receiver.clear();
    receiver.answer({});
    await passToOldest();
    await deliverDue(test);
    expect(contents(receiver.received)).toEqual(['b', 'c']);
  });

  it('are not asked for by other subscriptions: there one that fails holds back nothing', async () => {
    await subscribe(test, receiver);
    receiver.answer(({ json }) => ({ status: json.data.fields.Content === 'bad' ? 500 : 200 }));
    await arrives(test, { Content: 'bad' }, FIRST);
    await arrives(test, { Content: 'good' }, FIRST);
    await receiver.arrived(2);
    await settled(test);
    const states = (await deliveries(test)).slice(0, 2).map(({ status }) => status);
    expect(states).toEqual(['delivered', 'pending']);
    await passToRetry(test);
    receiver.answer({});
    await deliverDue(test);
    expect(contents(receiver.received)).toHaveLength(3);
  });
});
