import { afterAll, beforeAll, beforeEach } from 'vitest';
import { DeliveryWorker } from '../../src/delivery/delivery.worker.js';
import { ResponderService } from '../../src/delivery/responder.service.js';
import { expectSuccess } from './callback-state.js';
import type { DatabaseKind } from './databases.js';
import { COMPONENT } from './fake-settings.js';
import {
  ACCOUNT,
  fieldsXml,
  messagePush,
  pushMessage,
  textFields,
  type Fields,
} from './message-pushes.js';
import { createTestApp, type TestApp, type TestAppOptions } from './test-app.js';
import { WebhookReceiver } from './webhook-receiver.js';

/** Milliseconds that an attempt may take in these tests. */
export const TIMEOUT_MS = 1000;
/** Longest that a lease outlasts the time at which it was taken. */
export const LEASE_MS = TIMEOUT_MS + 15_000;

/** A hub that may deliver to this machine. */
export function deliveryHub(options: TestAppOptions): Promise<TestApp> {
  const env = {
    DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
    DELIVERY_TIMEOUT_MS: String(TIMEOUT_MS),
    ...options.env,
  };
  return createTestApp({ ...options, env });
}

/** What the tests of a file share; there from their first `beforeAll` on. */
export interface DeliveryWorld {
  test: TestApp;
  receiver: WebhookReceiver;
}

/** Gives the tests of a file a hub and a service; each begins with no subscription, no call. */
export function useDeliveryWorld(kind: DatabaseKind): DeliveryWorld {
  const world = {} as DeliveryWorld;
  beforeAll(async () => {
    world.test = await deliveryHub({ database: kind });
    world.receiver = await WebhookReceiver.start();
  });
  beforeEach(async () => {
    const { test, receiver } = world;
    await settled(test);
    await unsubscribeAll(test);
    receiver.clear();
    receiver.answer({});
  });
  afterAll(async () => {
    await world.test.close();
    await world.receiver.close();
  });
  return world;
}

/** Adds a subscription; what REST answers, with its secret. */
export async function subscribe(
  { hub }: Pick<TestApp, 'hub'>,
  receiver: Pick<WebhookReceiver, 'url'>,
  values: Record<string, unknown> = {},
): Promise<any> {
  const body = { name: 'A service', url: receiver.url, ...values };
  const { status, json, text } = await hub.post('/admin/subscriptions', body);
  if (status !== 201) throw new Error(`Adding a subscription answered ${status} ${text}`);
  return json;
}

/** Removes every subscription, so that a test begins with none. */
export async function unsubscribeAll({ hub }: Pick<TestApp, 'hub'>): Promise<void> {
  const { json } = await hub.get('/admin/subscriptions');
  for (const { id } of json) await hub.request('DELETE', `/admin/subscriptions/${id}`);
}

export async function subscriptionOf({ hub }: Pick<TestApp, 'hub'>, id: string): Promise<any> {
  return (await hub.get(`/admin/subscriptions/${id}`)).json;
}

/** What the worker does every second, and everything that comes of it. */
export async function deliverDue({ app }: Pick<TestApp, 'app'>): Promise<void> {
  await app.get(DeliveryWorker).deliverDue();
  await settled({ app });
}

/** Everything that is under way has ended and is on record. */
export async function settled({ app }: Pick<TestApp, 'app'>): Promise<void> {
  await app.get(DeliveryWorker).idle();
  await app.get(ResponderService).idle();
}

/** A text message of an account arrives; the hub has recorded it. */
export async function arrives(
  test: TestApp,
  changes: Fields = {},
  account: string = ACCOUNT,
): Promise<void> {
  expectSuccess(await pushMessage(test, textFields(test, changes), { account }));
}

/** An authorization event arrives. */
export async function eventArrives(
  test: TestApp,
  infoType: string,
  fields: Fields = {},
): Promise<void> {
  const xml = fieldsXml({
    AppId: COMPONENT.appid,
    CreateTime: Math.floor(test.clock.now() / 1000),
    InfoType: infoType,
    ...fields,
  });
  expectSuccess(await test.hub.push(test.simulator.buildPush(COMPONENT.appid, xml)));
}

/** Several messages at once, as WeChat's servers send them. */
export async function burst(test: TestApp, count: number, account?: string): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => arrives(test, {}, account)));
}

/** Deliveries, newest first, by REST. */
export async function deliveries(
  { hub }: Pick<TestApp, 'hub'>,
  query: Record<string, string> = {},
): Promise<any[]> {
  const { json } = await hub.get(`/admin/deliveries?${new URLSearchParams(query)}`);
  return json.deliveries;
}

/** One delivery with its attempts, oldest first. */
export async function deliveryOf({ hub }: Pick<TestApp, 'hub'>, id: string): Promise<any> {
  return (await hub.get(`/admin/deliveries/${id}`)).json;
}

/** Moves time on to when the only pending delivery is tried again; milliseconds from now. */
export async function passToRetry(test: TestApp): Promise<number> {
  const [pending] = await deliveries(test, { status: 'pending' });
  const wait = Date.parse(pending.nextAttemptAt) - test.clock.now();
  test.clock.advance(wait);
  return wait;
}

export { messagePush };
