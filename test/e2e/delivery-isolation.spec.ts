import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliverDue,
  deliveries,
  deliveryHub,
  LEASE_MS,
  settled,
  subscribe,
  unsubscribeAll,
} from '../support/delivery-world.js';
import { type Gate, gate } from '../support/gate.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/** More than all places that are not reserved: each dead target takes what it can get. */
const DEAD_TARGETS = 10;
const PER_SUBSCRIPTION = 32;
const TOTAL = 256;
const RESERVED = 4;

describe.each(databaseKinds())('a target that hangs on %s', (kind) => {
  let test: TestApp;
  let dead: WebhookReceiver;
  let well: WebhookReceiver;
  let held: Gate;
  beforeAll(async () => {
    // None of these attempts may end by itself while a test looks at it.
    test = await deliveryHub({ database: kind, env: { DELIVERY_TIMEOUT_MS: '20000' } });
    dead = await WebhookReceiver.start();
    well = await WebhookReceiver.start();
  });
  beforeEach(async () => {
    await settled(test);
    await unsubscribeAll(test);
    for (const receiver of [dead, well]) receiver.clear();
    held = gate();
    dead.answer({ until: held.opened });
  });
  afterAll(async () => {
    await test.close();
    await dead.close();
    await well.close();
  });

  it('delays neither WeChat nor any other target, and has 32 calls at once at most', async () => {
    await subscribe(test, dead);
    await subscribe(test, well);
    await burst(test, 60);
    await well.arrived(60);
    await dead.arrived(PER_SUBSCRIPTION);
    expect(dead.mostOpen).toBe(PER_SUBSCRIPTION);
    await arrives(test);
    await well.arrived(61);
    expect(dead.received).toHaveLength(PER_SUBSCRIPTION);
    dead.answer({});
    held.open();
    await dead.arrived(61);
    await settled(test);
    expect(new Set(dead.received.map(({ id }) => id)).size).toBe(61);
  });

  it('leaves places for others although there are many of its kind', async () => {
    for (let count = 0; count < DEAD_TARGETS; count += 1) await subscribe(test, dead);
    await burst(test, PER_SUBSCRIPTION);
    await dead.until('all places', () => dead.open >= TOTAL);
    await subscribe(test, well);
    await burst(test, 5);
    await well.arrived(5);
    expect(dead.open).toBeGreaterThanOrEqual(TOTAL);
    expect(dead.mostOpen).toBeLessThanOrEqual(TOTAL + DEAD_TARGETS * RESERVED);
    dead.answer({});
    held.open();
    await settled(test);
    expect(dead.received).toHaveLength(DEAD_TARGETS * (PER_SUBSCRIPTION + 5));
  });

  it('is asked again for what waited too long for its turn, and no delivery is lost', async () => {
    const { id } = await subscribe(test, dead);
    await burst(test, PER_SUBSCRIPTION + 10);
    await dead.arrived(PER_SUBSCRIPTION);
    // The leases of the ten in memory have become too short for an attempt.
    test.clock.advance(20_000);
    dead.answer({});
    held.open();
    await settled(test);
    expect(dead.received).toHaveLength(PER_SUBSCRIPTION);
    expect(await deliveries(test, { subscription: id, status: 'pending' })).toHaveLength(10);
    test.clock.advance(LEASE_MS);
    await deliverDue(test);
    expect(new Set(dead.received.map((call) => call.id)).size).toBe(PER_SUBSCRIPTION + 10);
    expect(dead.received).toHaveLength(PER_SUBSCRIPTION + 10);
  });

  it('that has failed before is given less to hold: the rest waits in the database', async () => {
    const { id } = await subscribe(test, dead);
    dead.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    dead.clear();
    held = gate();
    dead.answer({ until: held.opened });
    await burst(test, 100);
    await dead.arrived(PER_SUBSCRIPTION);
    const [{ leased }] = await sql(test).query(
      "SELECT COUNT(lease_owner) AS leased FROM delivery WHERE subscription_id = ? AND status = 'pending'",
      [id],
    );
    expect(Number(leased)).toBeGreaterThanOrEqual(PER_SUBSCRIPTION);
    expect(Number(leased)).toBeLessThan(100);
    dead.answer({});
    held.open();
    await settled(test);
    await deliverDue(test);
    expect(new Set(dead.received.map((call) => call.id)).size).toBe(100);
    expect(dead.received).toHaveLength(100);
  });
});
