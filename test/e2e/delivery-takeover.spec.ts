import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeliveryWorker } from '../../src/delivery/delivery.worker.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliverDue,
  deliveries,
  deliveryHub,
  deliveryOf,
  LEASE_MS,
  settled,
  subscribe,
  subscriptionOf,
} from '../support/delivery-world.js';
import { type Gate, gate } from '../support/gate.js';
import type { TestApp } from '../support/test-app.js';
import { secondHub } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const ENV = { DELIVERY_ALLOWED_TARGETS: '127.0.0.1', DELIVERY_TIMEOUT_MS: '20000' };
const LEASE = LEASE_MS + 20_000;

describe.each(databaseKinds())('two hubs on one %s', (kind) => {
  let first: TestApp;
  let second: TestApp;
  let receiver: WebhookReceiver;
  let held: Gate;
  beforeEach(async () => {
    receiver = await WebhookReceiver.start();
    held = gate();
    receiver.answer({ until: held.opened });
    first = await deliveryHub({ database: kind, env: ENV });
    second = await secondHub(first, ENV);
  });
  afterEach(async () => {
    held.open();
    await second.close();
    await first.close();
    await receiver.close();
  });

  /** WeChat, which is one, pushes to the second hub. */
  const atSecond = (): TestApp => ({ ...second, simulator: first.simulator });

  it('take over what the other has left, when its lease ends and not before', async () => {
    const { id } = await subscribe(first, receiver);
    await arrives(first);
    await receiver.arrived(1);
    receiver.answer({ status: 500 });
    await deliverDue(second);
    expect(receiver.received).toHaveLength(1);
    first.clock.advance(LEASE);
    await deliverDue(second);
    expect(receiver.received).toHaveLength(2);
    expect(new Set(receiver.received.map((call) => call.id)).size).toBe(1);

    // The first was not dead after all: its late result changes nothing, but is on record.
    const before = await deliveryOf(first, receiver.received[0]!.id);
    expect(before).toMatchObject({ status: 'pending', attempts: 1, inHand: false });
    held.open();
    await settled(first);
    const after = await deliveryOf(first, receiver.received[0]!.id);
    expect({ ...after, history: [] }).toEqual({ ...before, history: [] });
    expect(after.history.map(({ status }: any) => status)).toEqual([500, 200]);
    expect(await deliveries(first, { subscription: id })).toHaveLength(1);
  });

  it('share what waits and deliver none of it twice', async () => {
    await subscribe(first, receiver);
    receiver.answer({ status: 500 });
    await burst(first, 80);
    await settled(first);
    receiver.clear();
    receiver.answer({});
    first.clock.advance(10_000);
    await Promise.all([deliverDue(first), deliverDue(second)]);
    await Promise.all([deliverDue(first), deliverDue(second)]);
    expect(new Set(receiver.received.map((call) => call.id)).size).toBe(80);
    expect(receiver.received).toHaveLength(80);
    expect(await deliveries(first, { status: 'pending' })).toEqual([]);
  });

  it('keep the order of an account between them', async () => {
    await subscribe(first, receiver, { ordered: true });
    receiver.answer({ delayMs: 2 });
    first.clock.advance(10_000);
    await deliverDue(second);
    for (let number = 0; number < 20; number += 1) {
      await arrives(number % 2 === 0 ? first : atSecond(), { Content: String(number) });
      // What one hub has recorded later has a later id.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await receiver.arrived(20);
    const contents = receiver.received.map(({ json }) => json.data.fields.Content);
    expect(contents).toEqual(Array.from({ length: 20 }, (_, number) => String(number)));
  });

  it('know of each other’s changes within 10 s', async () => {
    const { id } = await subscribe(first, receiver);
    first.clock.advance(10_000);
    receiver.answer({});
    await arrives(atSecond());
    await receiver.arrived(1);
    await first.hub.patch(`/admin/subscriptions/${id}`, { enabled: false });
    first.clock.advance(10_000);
    await deliverDue(second);
    await arrives(atSecond());
    expect(await deliveries(second, { subscription: id })).toHaveLength(1);
    expect((await subscriptionOf(second, id)).enabled).toBe(false);
  });

  it('leave the next of an order to others when they stop, at once', async () => {
    const { id } = await subscribe(first, receiver, { ordered: true });
    for (const Content of ['0', '1', '2']) await arrives(first, { Content });
    await receiver.arrived(1);
    await vi.waitFor(async () => {
      // Behind the one that is under way, the others wait for the end of its lease.
      const waiting = await deliveries(first, { subscription: id, status: 'pending' });
      const now = first.clock.now();
      const behind = waiting.filter(({ inHand }) => !inHand);
      expect(behind).toHaveLength(2);
      for (const { nextAttemptAt } of behind) {
        expect(Date.parse(nextAttemptAt)).toBeGreaterThan(now);
      }
    });
    receiver.answer({});
    const stopping = first.app.get(DeliveryWorker).onModuleDestroy();
    held.open();
    await stopping;
    await deliverDue(second);
    expect(receiver.received.map(({ json }) => json.data.fields.Content)).toEqual(['0', '1', '2']);
  });

  it('give back what they have not begun when they stop', async () => {
    const { id } = await subscribe(first, receiver);
    await burst(first, 40);
    await receiver.arrived(32);
    receiver.answer({});
    const stopping = first.app.get(DeliveryWorker).onModuleDestroy();
    held.open();
    await stopping;
    await deliverDue(second);
    expect(await deliveries(second, { subscription: id, status: 'pending' })).toEqual([]);
    expect(new Set(receiver.received.map((call) => call.id)).size).toBe(40);
    expect(receiver.received).toHaveLength(40);
  });
});
