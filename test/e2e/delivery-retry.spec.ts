import { beforeAll, describe, expect, it } from 'vitest';
import { onTelemetry } from '../../src/common/telemetry.js';
import { PushRetention } from '../../src/delivery/push.retention.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliverDue,
  deliveries,
  deliveryOf,
  passToRetry,
  settled,
  subscribe,
  subscriptionOf,
  TIMEOUT_MS,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, SECOND, showTime, sql } from '../support/token-world.js';
import type { WebhookReceiver, WebhookAnswer } from '../support/webhook-receiver.js';

const SCHEDULE = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
const FIVE_DAYS = 120 * HOUR;

describe.each(databaseKinds())('deliveries that fail on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  const onlyDelivery = async (): Promise<any> => {
    const [first] = await deliveries(test, { limit: '1' });
    return deliveryOf(test, first.id);
  };

  it('are tried again by the schedule, under the same id, until they are given up', async () => {
    const dead: string[] = [];
    const stop = onTelemetry('delivery.dead', ({ subscriptionId }) => dead.push(subscriptionId));
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500, body: 'fake-content-of-an-answer' });
    await arrives(test);
    await settled(test);
    for (const [index, delay] of SCHEDULE.entries()) {
      expect((await onlyDelivery()).attempts).toBe(index + 1);
      await deliverDue(test);
      expect(receiver.received, 'nothing before its time').toHaveLength(index + 1);
      const waited = await passToRetry(test);
      expect(waited).toBeGreaterThanOrEqual(0.8 * delay);
      expect(waited).toBeLessThanOrEqual(1.2 * delay);
      if (index === SCHEDULE.length - 1) await showTime(test);
      await deliverDue(test);
    }
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ status: 'dead', attempts: 10, nextAttemptAt: null });
    expect(delivery.history).toHaveLength(10);
    expect(delivery.history.map(({ status }: any) => status)).toEqual(Array(10).fill(500));
    expect(delivery.lastError).toBe('The target answered HTTP 500');
    expect(JSON.stringify(delivery)).not.toContain('fake-content');
    expect(new Set(receiver.received.map((call) => call.id))).toEqual(new Set([delivery.id]));
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    expect(dead).toEqual([id]);
    test.clock.advance(48 * HOUR);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(10);
    stop();
  });

  it('are done when the target takes them after all', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 503 });
    await arrives(test);
    await settled(test);
    expect((await subscriptionOf(test, id)).failingSince).not.toBeNull();
    receiver.answer({ status: 204 });
    await passToRetry(test);
    await deliverDue(test);
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ status: 'delivered', attempts: 2, lastError: null });
    expect(delivery.history.map(({ status }: any) => status)).toEqual([503, 204]);
    expect((await subscriptionOf(test, id)).failingSince).toBeNull();
  });

  it.each<[string, WebhookAnswer, number | null]>([
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 302],
    ['not found', { status: 404 }, 404],
    ['a broken connection', { raw: (response) => response.destroy() }, null],
    ['no answer', { hang: true }, null],
  ])('count as failed: %s', async (_, answer, status) => {
    await subscribe(test, receiver);
    receiver.answer(answer);
    await arrives(test);
    await settled(test);
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1, inHand: false });
    expect(delivery.history).toEqual([
      expect.objectContaining({ status, cause: 'schedule', error: expect.any(String) }),
    ]);
    if (answer.hang) expect(delivery.history[0].durationMs).toBeGreaterThanOrEqual(TIMEOUT_MS - 5);
  });

  it.each([
    ['429', '7', 7 * SECOND, 7 * SECOND],
    ['503', '1', 5 * SECOND, 5 * SECOND],
    ['503', '86400', 10 * SECOND, 10 * SECOND],
    ['500', '7', 4 * SECOND, 6 * SECOND],
    ['429', 'in a while', 4 * SECOND, 6 * SECOND],
  ])('heed the Retry-After of %s: %s', async (status, value, least, most) => {
    await subscribe(test, receiver);
    receiver.answer({ status: Number(status), headers: { 'retry-after': value } });
    await arrives(test);
    await settled(test);
    const waited = await passToRetry(test);
    expect(waited).toBeGreaterThanOrEqual(least);
    expect(waited).toBeLessThanOrEqual(most);
  });

  it('heed a Retry-After that is a date', async () => {
    await subscribe(test, receiver);
    const at = Math.ceil((test.clock.now() + 8 * SECOND) / 1000) * 1000;
    receiver.answer({ status: 503, headers: { 'retry-after': new Date(at).toUTCString() } });
    await arrives(test);
    await settled(test);
    expect((await onlyDelivery()).nextAttemptAt).toBe(new Date(at).toISOString());
  });

  it('end with a subscription whose target says that it is gone', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 410 });
    await arrives(test);
    await settled(test);
    expect(await subscriptionOf(test, id)).toMatchObject({
      enabled: false,
      disabledReason: 'The target answered that it is gone (HTTP 410)',
    });
    await arrives(test);
    test.clock.advance(HOUR);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(1);
  });

  it('for five days disable their subscription, and go on when it is enabled again', async () => {
    const notices: string[] = [];
    const stop = onTelemetry('delivery.disabled', ({ subscriptionId }) =>
      notices.push(subscriptionId),
    );
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    const began = test.clock.now();
    await arrives(test);
    await settled(test);
    for (let halfDays = 1; halfDays < 10; halfDays += 1) {
      test.clock.advance(FIVE_DAYS / 10);
      await arrives(test);
      await settled(test);
    }
    expect(await subscriptionOf(test, id)).toMatchObject({
      enabled: true,
      failingSince: new Date(began).toISOString(),
    });
    test.clock.advance(FIVE_DAYS / 10 + SECOND);
    await arrives(test);
    await settled(test);
    expect(await subscriptionOf(test, id)).toMatchObject({
      enabled: false,
      disabledReason: 'The target has failed for 5 days',
    });
    expect(notices).toEqual([id]);
    const calls = receiver.received.length;
    test.clock.advance(HOUR);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(calls);
    expect(await deliveries(test, { subscription: id, status: 'pending' })).toHaveLength(11);

    receiver.answer({});
    const { json } = await test.hub.patch(`/admin/subscriptions/${id}`, { enabled: true });
    expect(json).toMatchObject({ enabled: true, failingSince: null, disabledReason: null });
    await deliverDue(test);
    expect(await deliveries(test, { subscription: id, status: 'delivered' })).toHaveLength(11);
    stop();
  });

  it.each([
    ['a week of silence', 168 * HOUR, true],
    ['a jump of the clock', 40 * 24 * HOUR, false],
  ])('before and after %s disable nothing', async (_, wait, shown) => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    test.clock.advance(wait);
    if (shown) await showTime(test);
    await deliverDue(test);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(2);
    expect(await subscriptionOf(test, id)).toMatchObject({ enabled: true });
    expect((await onlyDelivery()).status).toBe('pending');
  });

  it('are not given up for attempts that a jumping clock has drawn together', async () => {
    await showTime(test);
    await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    for (let jump = 0; jump < 12; jump += 1) {
      test.clock.advance(40 * 24 * HOUR);
      await deliverDue(test);
    }
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ status: 'pending', attempts: 13 });
    const waits = Date.parse(delivery.nextAttemptAt) - test.clock.now();
    expect(waits).toBeGreaterThan(19 * HOUR);
    await showTime(test);
    await passToRetry(test);
    await deliverDue(test);
    expect(await onlyDelivery()).toMatchObject({ status: 'dead', attempts: 14 });
  });

  it('wait no longer than there is a wait, though a clock that was ahead has put them off', async () => {
    await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    test.clock.advance(40 * 24 * HOUR);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(2);
    test.clock.advance(-39 * 24 * HOUR);
    receiver.answer({});
    const retention = test.app.get(PushRetention);
    await retention.sweep();
    await deliverDue(test);
    expect(receiver.received, 'not by a clock that is not confirmed').toHaveLength(2);
    await showTime(test);
    await retention.sweep();
    await deliverDue(test);
    expect(await onlyDelivery()).toMatchObject({ status: 'delivered', attempts: 3 });
  });

  it('now and then over five days disable nothing', async () => {
    const { id } = await subscribe(test, receiver);
    for (let day = 0; day < 7; day += 1) {
      receiver.answer({ status: 500 });
      await arrives(test);
      await settled(test);
      receiver.answer({});
      await arrives(test);
      await settled(test);
      test.clock.advance(24 * HOUR);
    }
    expect(await subscriptionOf(test, id)).toMatchObject({ enabled: true, failingSince: null });
  });

  it('are cancelled with their subscription', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    expect((await test.hub.request('DELETE', `/admin/subscriptions/${id}`)).status).toBe(200);
    expect(await onlyDelivery()).toMatchObject({ status: 'cancelled', nextAttemptAt: null });
    test.clock.advance(HOUR);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(1);
    expect((await test.hub.get(`/admin/subscriptions/${id}`)).status).toBe(404);
  });

  it('are cancelled when their push is no longer stored', async () => {
    await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    const { eventId } = await onlyDelivery();
    await sql(test).query('DELETE FROM callback_event WHERE id = ?', [eventId]);
    await passToRetry(test);
    await deliverDue(test);
    expect(await onlyDelivery()).toMatchObject({
      status: 'cancelled',
      lastError: 'The push is no longer stored',
      attempts: 1,
    });
  });
});
