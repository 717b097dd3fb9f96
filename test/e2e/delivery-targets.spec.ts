import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliveries,
  deliveryHub,
  settled,
  subscribe,
  unsubscribeAll,
} from '../support/delivery-world.js';
import { eventFields, jsonPush, sendMessage } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/** Longer than any of these tests may take. */
const ATTEMPT_MS = 20_000;

describe.each(databaseKinds())('a hub with odd targets on %s', (kind) => {
  let test: TestApp;
  let odd: WebhookReceiver;
  let well: WebhookReceiver;
  beforeAll(async () => {
    test = await deliveryHub({
      database: kind,
      env: { DELIVERY_TIMEOUT_MS: String(ATTEMPT_MS) },
    });
    odd = await WebhookReceiver.start();
    well = await WebhookReceiver.start();
  });
  beforeEach(async () => {
    await unsubscribeAll(test);
    for (const receiver of [odd, well]) receiver.clear();
  });
  afterAll(async () => {
    await test.close();
    await odd.close();
    await well.close();
  });

  it.each<[string, (response: ServerResponse) => void, string]>([
    [
      'answers HTTP 101',
      ({ socket }) =>
        socket?.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
        ),
      'HTTP 101',
    ],
    [
      'answers HTTP 100 without end',
      ({ socket }) => {
        const more = (): void => {
          if (socket?.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(2000))) setImmediate(more);
        };
        socket?.on('drain', more).on('error', () => undefined);
        more();
      },
      'Too many informational answers',
    ],
  ])('fails at once where one %s, and serves the others', async (_, raw, error) => {
    odd.answer({ raw });
    const { id } = await subscribe(test, odd);
    await subscribe(test, well);
    const started = performance.now();
    await arrives(test);
    await well.arrived(1);
    await settled(test);
    expect(performance.now() - started).toBeLessThan(ATTEMPT_MS / 4);
    const [delivery] = await deliveries(test, { subscription: id });
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1 });
    expect(delivery.lastError).toContain(error);
  });

  it.each([
    ['half a character', 'a\ud800'],
    ['60,000 letters', 'x'.repeat(60_000)],
    ['10,000 characters that are escaped', '订'.repeat(10_000)],
  ])('delivers an event whose name is %s', async (_, event) => {
    await subscribe(test, well, { format: 'raw' });
    const text = JSON.stringify(eventFields(test, event));
    expectSuccess(await sendMessage(test, jsonPush(test, text)));
    const [call] = await well.arrived(1);
    expect(call?.body).toBe(text);
    await settled(test);
    expect(await deliveries(test, { status: 'pending' })).toEqual([]);
  });
});
