import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  calls,
  comeBack,
  detailOf,
  historyOf,
  newAccount,
  pass,
  PLATFORM,
  resultOf,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, MINUTE, prime, SECOND } from '../support/token-world.js';

describe.each(databaseKinds())('an authorizer on %s', (kind) => {
  let test: TestApp;
  let account: string;

  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
  });
  afterAll(() => test.close());
  beforeEach(() => {
    account = newAccount(test);
    test.simulator.clearCalls();
  });

  const valid = (token: string): boolean => test.simulator.accounts.isTokenValid(token);

  it('becomes a record and a token that works by an authorized event', async () => {
    await authorizeByEvent(test, account);
    expect(valid(await tokenText(test, account))).toBe(true);
    await authorizerTick(test);
    const detail = await detailOf(test, account);
    expect(detail).toMatchObject({
      status: 'active',
      type: 'official_account',
      nickName: expect.any(String),
      principalName: expect.any(String),
      userName: expect.stringMatching(/^gh_/),
      verifyType: 0,
      funcInfo: [1, 2, 3, 4, 11, 15],
      revokedAt: null,
      info: { business_info: { open_pay: 0 } },
      history: [{ what: 'authorized', detail: { source: 'authorized', tokens: true } }],
    });
    expect(detail.firstAuthorizedAt).toBe(detail.lastAuthorizedAt);
  });

  it('becomes one by the redirect alone, with the page for the visitor', async () => {
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account, { push: false });
    const page = await comeBack(test, code);
    expect(page).toMatchObject({ status: 200 });
    expect(resultOf(page)).toBe('authorized');
    expect(page.text).toContain(account);
    expect(valid(await tokenText(test, account))).toBe(true);
  });

  it('has its token refreshed before the end, the refresh token kept when none comes back', async () => {
    await authorizeByEvent(test, account);
    for (const refreshTokenAnswer of ['omit', 'rotate', 'omit', 'same'] as const) {
      test.simulator.accounts.configure({ refreshTokenAnswer });
      const before = await tokenText(test, account);
      await pass(test, 111 * MINUTE);
      await authorizerTick(test);
      const after = await tokenText(test, account);
      expect(after).not.toBe(before);
      expect(valid(after)).toBe(true);
    }
  });

  it('has everything replaced by updateauthorized, and the old token dies at once', async () => {
    await authorizeByEvent(test, account);
    const before = await tokenText(test, account);
    const rotated = { funcInfo: [1, 4, 7], rotateRefreshToken: true, push: true };
    await test.simulator.accounts.reauthorize(PLATFORM, account, rotated);
    const after = await eventually('another token', async () => {
      const token = await tokenText(test, account);
      return token === before ? undefined : token;
    });
    expect([valid(before), valid(after)]).toEqual([false, true]);
    expect(await detailOf(test, account)).toMatchObject({ funcInfo: [1, 4, 7] });
    await pass(test, 111 * MINUTE);
    await authorizerTick(test);
    expect(valid(await tokenText(test, account))).toBe(true);
  });

  it('that withdraws answers 410 with the time, and is refreshed no more', async () => {
    await authorizeByEvent(test, account);
    const withdrawnAt = Math.floor(test.clock.now() / 1000) * 1000;
    await test.simulator.accounts.withdraw(PLATFORM, account, { push: true });
    expect(await tokenOf(test, account)).toMatchObject({
      status: 410,
      json: {
        error: { code: 'authorizer_revoked', revokedAt: new Date(withdrawnAt).toISOString() },
      },
    });
    await pass(test, 111 * MINUTE);
    const others = calls(test, AUTHORIZER_TOKEN);
    expect((await tokenOf(test, account)).status).toBe(410);
    expect((await test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`)).status).toBe(
      410,
    );
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(others);
    expect(await detailOf(test, account)).toMatchObject({
      status: 'revoked',
      token: { refreshAt: null, expiresAt: null, lastError: null },
    });
  });

  it('that authorizes again after a withdrawal is active again', async () => {
    await authorizeByEvent(test, account);
    await test.simulator.accounts.withdraw(PLATFORM, account, { push: true });
    test.clock.advance(MINUTE);
    await authorizeByEvent(test, account);
    expect(valid(await tokenText(test, account))).toBe(true);
    expect(await detailOf(test, account)).toMatchObject({ status: 'active', revokedAt: null });
    expect(await historyOf(test, account)).toEqual(['authorized', 'unauthorized', 'authorized']);
  });

  it('whose token was voided without an event gets another when a service reports it', async () => {
    await authorizeByEvent(test, account);
    const dead = await tokenText(test, account);
    await test.simulator.accounts.reauthorize(PLATFORM, account, { push: false });
    expect(valid(dead)).toBe(false);
    const reports = await Promise.all(
      Array.from({ length: 10 }, () =>
        test.hub.post(`/api/authorizers/${account}/access-token/invalidate`, { token: dead }),
      ),
    );
    const tokens = new Set(reports.map(({ json }) => json.authorizer_access_token));
    expect(tokens.size).toBe(1);
    expect(valid([...tokens][0])).toBe(true);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(1);
    const late = await test.hub.post(`/api/authorizers/${account}/access-token/invalidate`, {
      token: dead,
    });
    expect(late.json.authorizer_access_token).toBe([...tokens][0]);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(1);
  });

  it('is not hurt by a component token that WeChat refuses meanwhile', async () => {
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account, { push: false });
    test.clock.advance(31 * SECOND);
    test.simulator.expireTokens(PLATFORM, { errcode: 40001 });
    expect(resultOf(await comeBack(test, code))).toBe('authorized');
    test.clock.advance(31 * SECOND);
    test.simulator.expireTokens(PLATFORM, { errcode: 42001 });
    const refreshed = await test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`);
    expect(refreshed).toMatchObject({ status: 200, json: { token: { generation: 2 } } });
    expect(valid(await tokenText(test, account))).toBe(true);
  });

  it('that authorized two platforms has two lives, and a service has to name one', async () => {
    const { appid: other } = await addPlatform(test);
    await prime(test, other);
    await authorizeByEvent(test, account);
    await authorizeByEvent(test, account, other);
    expect(await tokenOf(test, account)).toMatchObject({
      status: 400,
      json: { error: { code: 'component_ambiguous', components: [PLATFORM, other].toSorted() } },
    });
    const [first, second] = await Promise.all([
      tokenOf(test, account, PLATFORM),
      tokenOf(test, account, other),
    ]);
    expect(first.json.authorizer_access_token).not.toBe(second.json.authorizer_access_token);
    await test.simulator.accounts.withdraw(other, account, { push: true });
    expect((await tokenOf(test, account, other)).status).toBe(410);
    expect(await tokenText(test, account)).toBe(first.json.authorizer_access_token);
    expect(await detailOf(test, account)).toMatchObject({ status: 'active' });
    expect((await tokenOf(test, account, 'wxnobody')).status).toBe(404);
  });

  it('that nobody knows answers 404', async () => {
    expect(await tokenOf(test, 'wxunknown')).toMatchObject({
      status: 404,
      json: { error: { code: 'authorizer_unknown' } },
    });
    expect((await test.hub.get(`/admin/authorizers/${PLATFORM}/wxunknown`)).status).toBe(404);
  });
});
