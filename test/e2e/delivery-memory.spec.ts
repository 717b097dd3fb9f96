import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LANE_LIMITS } from '../../src/delivery/delivery.lanes.js';
import { gate } from '../support/gate.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliverDue,
  deliveryHub,
  settled,
  subscribe,
} from '../support/delivery-world.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const LARGE = 600_000;
const COUNT = 20;

describe.each(databaseKinds())('large messages for a slow target on %s', (kind) => {
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    test = await deliveryHub({ database: kind, env: { DELIVERY_TIMEOUT_MS: '30000' } });
    receiver = await WebhookReceiver.start();
  });
  afterAll(async () => {
    await test.close();
    await receiver.close();
  });

  it('wait in memory up to a limit, the others in the database; all are delivered', async () => {
    const { id } = await subscribe(test, receiver);
    const { opened: until, open: release } = gate();
    receiver.answer({ until });
    await burst(test, LANE_LIMITS.perSubscription);
    await receiver.arrived(LANE_LIMITS.perSubscription);
    for (let count = 0; count < COUNT; count += 1) {
      await arrives(test, { Content: 'x'.repeat(LARGE) });
    }
    const [{ queued }] = await sql(test).query(
      `SELECT COUNT(*) AS queued FROM delivery WHERE subscription_id = ? AND status = 'pending'
       AND lease_owner IS NOT NULL`,
      [id],
    );
    expect(Number(queued)).toBe(LANE_LIMITS.perSubscription + 13);
    release();
    await settled(test);
    // The timer's looks: what another transaction held at one is found at the next.
    for (let look = 0; look < 10; look += 1) await deliverDue(test);
    expect(new Set(receiver.received.map((call) => call.id)).size).toBe(
      LANE_LIMITS.perSubscription + COUNT,
    );
  });
});
