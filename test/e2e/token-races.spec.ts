import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  accepts,
  breakExchange,
  calls,
  EXCHANGE,
  HOUR,
  issued,
  repair,
  MINUTE,
  prime,
  SECOND,
  secondHub,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
const REFRESH = `/admin/tokens/${appid}/refresh`;

describe.each(databaseKinds())('exchanges that cross each other on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  it('uses a ticket that arrives while an exchange with the refused one before it is running', async () => {
    await test.simulator.pushTicket(appid, { issued: false });
    // The failed exchange made WeChat push again: that ticket must not wait for the back-off.
    const token = await eventually('a token from the ticket that was asked for', () =>
      issued(test),
    );
    const answer = await eventually('the token in the hub', async () => {
      const { status, json } = await test.hub.accessToken();
      return status === 200 ? json : undefined;
    });
    expect(answer.component_access_token).toBe(token);
    expect(calls(test)).toBe(2);
  });

  it('obeys a manual refresh that comes together with reads which the back-off refuses', async () => {
    await test.simulator.pushTicket(appid);
    await prime(test);
    for (let round = 0; round < 10; round += 1) {
      test.clock.advance(3 * HOUR);
      breakExchange(test, { kind: 'errcode', errcode: 61004 });
      expect((await test.hub.accessToken()).status).toBe(502);
      repair(test);
      const reads = Array.from({ length: 5 }, () => test.hub.accessToken());
      const refresh = test.hub.post(REFRESH);
      const more = Array.from({ length: 5 }, () => test.hub.accessToken());
      expect((await refresh).status, `round ${round}`).toBe(200);
      await Promise.all([...reads, ...more]);
      await test.simulator.pushTicket(appid);
    }
  });

  it.each(['truncate', 'reset', 'garbage'] as const)(
    'replaces a token that WeChat may have replaced in an answer that never arrived: %s',
    async (fault) => {
      const old = await prime(test);
      breakExchange(test, { kind: fault, afterEffect: true, times: 1 });
      const refused = await test.hub.post(REFRESH);
      expect(refused).toMatchObject({ status: 502 });
      expect((await test.hub.accessToken()).json.component_access_token).toBe(old);
      test.clock.advance(3 * MINUTE);
      await tick(test);
      test.clock.advance(3 * MINUTE);
      const { json } = await test.hub.accessToken();
      expect(await accepts(test.simulator, json.component_access_token)).toBe(true);
      expect(calls(test)).toBe(3);
    },
  );

  it('replaces a token that a host got whose own token WeChat gave later', async () => {
    await prime(test);
    const other = await secondHub(test);
    try {
      breakExchange(test, { kind: 'hang', times: 1 });
      const slow = test.hub.post(REFRESH);
      await test.simulator.waitForCall(EXCHANGE, { count: 2 });
      // The first host stands still for longer than its lease, so that the other one takes over.
      test.clock.advance(15 * SECOND);
      expect((await other.hub.post(REFRESH)).status).toBe(200);
      test.simulator.release(EXCHANGE);
      await slow;
      await tick(test);
      await tick(other);
      test.clock.advance(6 * MINUTE);
      for (const { hub } of [test, other]) {
        const { json } = await hub.accessToken();
        expect(await accepts(test.simulator, json.component_access_token)).toBe(true);
      }
      expect(calls(test)).toBe(4);
    } finally {
      await other.close();
    }
  });
});
