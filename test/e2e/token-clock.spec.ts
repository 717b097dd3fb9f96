import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  authorizerTick,
  newAccount,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { FakeClock } from '../support/fake-clock.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  accepts,
  breakExchange,
  calls,
  HOUR,
  issued,
  MINUTE,
  prime,
  SECOND,
  sql,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
/** By how much a host's clock was wrong. */
const AHEAD = 3 * HOUR;
const LIFE = 2 * HOUR;

describe.each(databaseKinds())('times that a wrong clock wrote on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  const write = (table: string, values: Record<string, unknown>): Promise<unknown> => {
    const columns = Object.keys(values).map((column) => `${column} = ?`);
    return sql(test).query(`UPDATE ${table} SET ${columns.join(', ')}`, Object.values(values));
  };
  const ahead = (more = 0): number => test.clock.now() + AHEAD + more;

  it('block no refresh by a lease that ends in hours', async () => {
    await prime(test);
    test.clock.advance(LIFE);
    await write('component_access_token', { lease_owner: 'gone', lease_until: ahead() });
    const { status, json } = await test.hub.accessToken();
    expect([status, json.component_access_token]).toEqual([200, issued(test)]);
    expect(calls(test)).toBe(2);
  });

  it('leave a token that is valid to be replaced, when its lease ends in hours', async () => {
    await prime(test);
    await write('component_access_token', { lease_owner: 'gone', lease_until: ahead() });
    test.clock.advance(5 * SECOND);
    await tick(test);
    expect((await test.hub.token()).json.generation).toBe(2);
    expect(calls(test)).toBe(2);
  });

  it('block no refresh by a back-off that ends in hours, but the one of a used-up quota', async () => {
    await prime(test);
    test.clock.advance(LIFE);
    breakExchange(test, { kind: 'errcode', errcode: -1, times: 1 });
    expect((await test.hub.accessToken()).status).toBe(502);
    await write('component_access_token', { next_attempt_at: ahead(), refresh_at: ahead() });
    test.clock.advance(5 * SECOND);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
    test.clock.advance(LIFE);
    breakExchange(test, { kind: 'errcode', errcode: 45009, times: 1 });
    expect((await test.hub.accessToken()).status).toBe(502);
    await write('component_access_token', { next_attempt_at: ahead(), refresh_at: ahead() });
    test.clock.advance(5 * SECOND);
    expect((await test.hub.accessToken()).json.error).toMatchObject({ errcode: 45009 });
    expect(calls(test)).toBe(4);
  });

  it('make no report wait by one that was made in hours', async () => {
    const dead = await prime(test);
    test.simulator.expireTokens(appid, { errcode: 40001 });
    await write('component_access_token', { forced_at: ahead() });
    const path = `/api/components/${appid}/access-token/invalidate`;
    const { json } = await test.hub.post(path, { token: dead });
    expect(json.component_access_token).toBe(issued(test));
    expect(json.component_access_token).not.toBe(dead);
  });

  it('make no manual refresh wait by one that was made in hours', async () => {
    await prime(test);
    await write('component_access_token', { forced_at: ahead() });
    expect((await test.hub.post(`/admin/tokens/${appid}/refresh`)).json.generation).toBe(2);
  });

  it('let no token that was got in hours outlive its life unseen', async () => {
    await prime(test);
    await write('component_access_token', {
      obtained_at: ahead(),
      expires_at: ahead(LIFE),
      refresh_at: ahead(110 * MINUTE),
    });
    test.clock.advance(5 * SECOND);
    // Nobody knows how old it is; it is not promised for longer than any token lives.
    const { json } = await test.hub.accessToken();
    expect(json.expires_in).toBeLessThanOrEqual(LIFE / SECOND);
    await tick(test);
    expect((await test.hub.token()).json).toMatchObject({ generation: 2, remainingSeconds: 7200 });
    await tick(test);
    expect(calls(test)).toBe(2);
  });

  it('of a host that is still at work lead to few exchanges, and none without a token', async () => {
    await prime(test);
    const other = await createTestApp({
      database: test.database,
      clock: new FakeClock(ahead()),
      simulator: { components: [] },
      env: { WECHAT_API_BASE_URL: test.simulator.url },
    });
    try {
      for (let second = 0; second < 5 * 60; second += 5) {
        for (const host of [test, other]) {
          host.clock.advance(5 * SECOND);
          await tick(host);
        }
      }
      const { json } = await test.hub.accessToken();
      expect(await accepts(test.simulator, json.component_access_token)).toBe(true);
      expect(calls(test)).toBeLessThanOrEqual(4);
    } finally {
      await other.close();
    }
  });

  it('of a host that is still at work do not undo the back-off of refreshes that fail', async () => {
    await prime(test);
    test.clock.advance(LIFE);
    breakExchange(test, { kind: 'errcode', errcode: 40125 });
    for (let second = 0; second < 5 * 60; second += 5) {
      test.clock.advance(5 * SECOND);
      await tick(test);
      // What a host whose clock is ahead writes when it fails as well.
      await write('component_access_token', { next_attempt_at: ahead(), refresh_at: ahead() });
    }
    expect(calls(test)).toBeLessThanOrEqual(3);
  });

  it.each([
    ['a lease', () => ({ lease_owner: 'gone', lease_until: ahead() })],
    ['a back-off', () => ({ next_attempt_at: ahead(48 * HOUR), attempts: 1 })],
    ['a refresh time', () => ({ refresh_at: ahead(48 * HOUR) })],
  ])('keep no account cold by %s', async (_, values) => {
    await prime(test);
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    await authorizerTick(test);
    const old = await tokenText(test, account);
    test.clock.advance(115 * MINUTE);
    await prime(test);
    await write('authorizer', values());
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(1);
    const token = await tokenText(test, account);
    expect(token).not.toBe(old);
    expect(test.simulator.accounts.isTokenValid(token)).toBe(true);
  });
});
