import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  AUTHORIZER_INFO,
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  breakPath,
  calls,
  detailOf,
  historyOf,
  infoTick,
  newAccount,
  pass,
  PLATFORM,
  QUERY_AUTH,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, repair, MINUTE, SECOND } from '../support/token-world.js';

describe.each(databaseKinds())('an authorization that went wrong, on %s', (kind) => {
  let test: TestApp;
  let account: string;

  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    account = newAccount(test);
    await authorizeByEvent(test, account);
    await authorizerTick(test);
    test.simulator.clearCalls();
  });
  afterEach(() => repair(test));

  const refresh = () => test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`);
  const works = async (): Promise<boolean> =>
    test.simulator.accounts.isTokenValid(await tokenText(test, account));

  it('with a void refresh token goes on with the one that WeChat has on record', async () => {
    await test.simulator.accounts.withdraw(PLATFORM, account, { push: false });
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account, { push: false });
    expect(code).toBeTruthy();
    expect((await refresh()).status).toBe(200);
    expect([calls(test, AUTHORIZER_TOKEN), calls(test, AUTHORIZER_INFO)]).toEqual([2, 1]);
    expect(await works()).toBe(true);
    test.clock.advance(10_000);
    await refresh();
    expect([calls(test, AUTHORIZER_TOKEN), calls(test, AUTHORIZER_INFO)]).toEqual([3, 1]);
  });

  it('is asked about once in 10 s, however many events say that it has changed', async () => {
    breakPath(test, QUERY_AUTH, { kind: 'errcode', errcode: 61009 });
    breakPath(test, AUTHORIZER_INFO, { kind: 'errcode', errcode: -1 });
    for (let event = 0; event < 16; event += 1) {
      test.clock.advance(SECOND);
      const before = (await historyOf(test, account)).length;
      await test.simulator.accounts.authorize(PLATFORM, account, {
        push: true,
        funcInfo: [1, 2 + event],
      });
      await eventually('what became of the code', async () =>
        (await historyOf(test, account)).length > before ? true : undefined,
      );
      await infoTick(test);
    }
    expect(calls(test, AUTHORIZER_INFO)).toBe(2);
  });

  it('with a refresh token that stays void needs the account, and WeChat is asked no more', async () => {
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'errcode', errcode: 61023 });
    const authorizeUrl = expect.stringMatching(`/authorize/${PLATFORM}\\?biz_appid=${account}$`);
    const needed = {
      status: 409,
      json: { error: { code: 'needs_reauthorization', authorizeUrl } },
    };
    expect(await refresh()).toMatchObject(needed);
    const asked = [calls(test, AUTHORIZER_TOKEN), calls(test, AUTHORIZER_INFO)];
    expect(asked).toEqual([1, 1]);
    expect(await tokenOf(test, account)).toMatchObject(needed);
    await pass(test, 3 * HOUR);
    repair(test);
    await authorizerTick(test);
    expect(await tokenOf(test, account)).toMatchObject(needed);
    const { history } = await detailOf(test, account);
    expect(history[0]).toMatchObject({ what: 'refresh_token_void', detail: { errcode: 61023 } });
    await test.simulator.accounts.reauthorize(PLATFORM, account, { funcInfo: [1], push: true });
    await expect.poll(async () => (await tokenOf(test, account)).status).toBe(200);
    expect(await works()).toBe(true);
  });

  it.each([
    ['61003', 61003],
    ['61023 and 61003', undefined],
  ])('by a withdrawal that only %s tells of is known as withdrawn', async (_, errcode) => {
    const at = new Date(test.clock.now()).toISOString();
    if (errcode) breakPath(test, AUTHORIZER_TOKEN, { kind: 'errcode', errcode });
    else await test.simulator.accounts.withdraw(PLATFORM, account, { push: false });
    const gone = { status: 410, json: { error: { code: 'authorizer_revoked', revokedAt: at } } };
    expect(await refresh()).toMatchObject(gone);
    repair(test);
    await pass(test, HOUR);
    expect(await tokenOf(test, account)).toMatchObject(gone);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(1);
    expect((await historyOf(test, account)).at(-1)).toBe('found_withdrawn');
  });

  it('by a frozen account gives no token until WeChat says that it is well again', async () => {
    account = newAccount(test, { accountStatus: 19 });
    await authorizeByEvent(test, account);
    await authorizerTick(test);
    expect(await tokenOf(test, account)).toMatchObject({
      status: 409,
      json: { error: { code: 'authorizer_suspended' } },
    });
    expect(await detailOf(test, account)).toMatchObject({
      status: 'suspended',
      token: { refreshAt: null },
    });
    const asked = calls(test, AUTHORIZER_TOKEN);
    await pass(test, 3 * HOUR);
    await authorizerTick(test);
    expect((await detailOf(test, account)).status).toBe('suspended');
    expect(calls(test, AUTHORIZER_TOKEN) - asked).toBeLessThan(20);
  });

  it('at WeChat alone leaves the token in use, and is tried again with patience', async () => {
    const before = await tokenText(test, account);
    await pass(test, 100 * MINUTE);
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'http', status: 502 });
    await refresh();
    expect(await tokenText(test, account)).toBe(before);
    const { token } = await detailOf(test, account);
    expect(token).toMatchObject({ attempts: 1, lastError: expect.stringContaining('502') });
    expect(token.refreshAt).toBe(token.nextAttemptAt);
    repair(test);
    test.clock.advance(10_000);
    // A row that is being written, as when it was read last, is passed by until the next turn.
    await eventually('a new token', async () => {
      await authorizerTick(test);
      return (await tokenText(test, account)) !== before || undefined;
    });
    expect((await detailOf(test, account)).token).toMatchObject({ attempts: 0, lastError: null });
  });
});
