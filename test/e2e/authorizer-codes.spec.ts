import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  AUTHORIZER_INFO,
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  breakPath,
  calls,
  comeBack,
  detailOf,
  historyOf,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
  resultOf,
  resyncTick,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, HOUR, repair, MINUTE, prime, sql } from '../support/token-world.js';

describe.each(databaseKinds())('an authorization code on %s', (kind) => {
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
  afterEach(() => repair(test));

  /** The account consents; redirect and event are left to the test. */
  async function consent(
    options: Parameters<TestApp['simulator']['accounts']['authorize']>[2] = {},
  ) {
    const { code, event } = await test.simulator.accounts.authorize(PLATFORM, account, {
      ...options,
      push: false,
    });
    if (!event) throw new Error('WeChat sends no event');
    return { code, event };
  }
  const works = async (): Promise<boolean> =>
    test.simulator.accounts.isTokenValid(await tokenText(test, account));

  it.each(['event first', 'redirect first', 'both at once'])(
    'is exchanged once with the %s, and both ways get the result',
    async (order) => {
      const { code, event } = await consent();
      const ways = [() => test.hub.push(event), () => comeBack(test, code)];
      if (order === 'redirect first') ways.reverse();
      const answers = [];
      if (order === 'both at once') answers.push(...(await Promise.all(ways.map((way) => way()))));
      else for (const way of ways) answers.push(await way());
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(answers.map((answer) => resultOf(answer) ?? answer.text).toSorted()).toEqual([
        'authorized',
        'success',
      ]);
      expect(resultOf(await comeBack(test, code))).toBe('authorized');
      expect(await works()).toBe(true);
      expect(calls(test, QUERY_AUTH)).toBe(1);
      expect(await historyOf(test, account)).toEqual(['authorized']);
    },
  );

  it('is answered before WeChat is asked, and is durable while it cannot be', async () => {
    breakPath(test, QUERY_AUTH, { kind: 'errcode', errcode: -1 });
    const { code, event } = await consent();
    expect((await test.hub.push(event)).text).toBe('success');
    expect(resultOf(await comeBack(test, code))).toBe('pending');
    expect((await tokenOf(test, account)).status).toBe(404);
    repair(test);
    test.clock.advance(2 * MINUTE);
    await authorizerTick(test);
    expect(await works()).toBe(true);
    expect(resultOf(await comeBack(test, code))).toBe('authorized');
  });

  it('whose answer was lost after WeChat had used it up is made good by the record', async () => {
    breakPath(test, QUERY_AUTH, { kind: 'reset', afterEffect: true, times: 1 });
    const { code, event } = await consent();
    await test.hub.push(event);
    await eventually('the first try', () => (calls(test, QUERY_AUTH) > 0 ? true : undefined));
    expect(resultOf(await comeBack(test, code))).toBe('pending');
    test.clock.advance(MINUTE);
    expect(resultOf(await comeBack(test, code))).toBe('failed');
    await authorizerTick(test);
    expect(await works()).toBe(true);
    expect(await detailOf(test, account)).toMatchObject({
      status: 'active',
      funcInfo: [1, 2, 3, 4, 11, 15],
    });
    expect(await historyOf(test, account)).toEqual(['code_refused', 'refresh_token_repaired']);
  });

  it('whose answer was lost before anybody named the account is made good by the list', async () => {
    breakPath(test, QUERY_AUTH, { kind: 'reset', afterEffect: true, times: 1 });
    const { code } = await consent();
    expect(resultOf(await comeBack(test, code))).toBe('pending');
    test.clock.advance(MINUTE);
    expect(resultOf(await comeBack(test, code))).toBe('failed');
    await resyncTick(test);
    expect(await works()).toBe(true);
  });

  it('whose answer was lost, and whose event comes last of all, is made good by it', async () => {
    breakPath(test, QUERY_AUTH, { kind: 'reset', afterEffect: true, times: 1 });
    const { code, event } = await consent();
    await comeBack(test, code);
    test.clock.advance(MINUTE);
    expect(resultOf(await comeBack(test, code))).toBe('failed');
    expect((await test.hub.push(event)).text).toBe('success');
    await authorizerTick(test);
    expect(await works()).toBe(true);
  });

  it('that has expired leaves a record that says so, and what WeChat has', async () => {
    const { event } = await consent({ codeLifeSeconds: 0 });
    expect((await test.hub.push(event)).text).toBe('success');
    await eventually('the refusal', async () =>
      (await detailOf(test, account)).status ? true : undefined,
    );
    expect(await tokenOf(test, account)).toMatchObject({
      status: 409,
      json: {
        error: {
          code: 'needs_reauthorization',
          authorizeUrl: expect.stringMatching(`/authorize/${PLATFORM}\\?biz_appid=${account}$`),
        },
      },
    });
    expect((await detailOf(test, account)).history[0]).toMatchObject({
      what: 'code_expired',
      detail: { errcode: 61010, advice: expect.stringContaining('fresh code') },
    });
    await authorizerTick(test);
    expect(await works()).toBe(true);
  });

  it('of updateauthorized that has expired costs nothing: the new sets come from the record', async () => {
    await authorizeByEvent(test, account);
    const dead = await tokenText(test, account);
    const { event } = await consent({ codeLifeSeconds: 0, funcInfo: [1, 2] });
    await test.hub.push(event);
    await eventually('the refusal', async () =>
      (await historyOf(test, account)).includes('code_expired') ? true : undefined,
    );
    await authorizerTick(test);
    expect((await detailOf(test, account)).funcInfo).toEqual([1, 2]);
    expect(await tokenText(test, account)).not.toBe(dead);
    expect(await works()).toBe(true);
  });

  it.each([
    ['that nobody issued', async () => 'queryauthcode@@@never_issued', 1],
    [
      'of another platform',
      async () => {
        const { appid } = await addPlatform(test);
        return (await test.simulator.accounts.authorize(appid, account, { push: false })).code;
      },
      1,
    ],
    ['that has expired', async () => (await consent({ codeLifeSeconds: 0 })).code, 1],
  ])('%s, by redirect, has no effect but a page that says so', async (_, make, asked) => {
    const code = await make();
    for (let time = 1; time <= 3; time += 1) {
      const page = await comeBack(test, code);
      expect(page.status).toBe(200);
      expect(resultOf(page)).toBe('failed');
    }
    expect(calls(test, QUERY_AUTH)).toBe(asked);
    expect((await tokenOf(test, account)).status).toBe(404);
  });

  it('for a platform that nobody registered is refused, and not recorded', async () => {
    const { code } = await consent();
    expect((await comeBack(test, code, 'wxnobody')).status).toBe(404);
    expect(calls(test, QUERY_AUTH)).toBe(0);
    expect(resultOf(await comeBack(test, code))).toBe('authorized');
  });

  it('of an account without API rights makes a record without tokens, and reads say why', async () => {
    account = newAccount(test, { apiRights: false });
    await authorizeByEvent(test, account);
    await authorizerTick(test);
    expect(await tokenOf(test, account)).toMatchObject({
      status: 409,
      json: { error: { code: 'authorizer_without_api' } },
    });
    expect(await detailOf(test, account)).toMatchObject({
      status: 'active',
      nickName: expect.any(String),
      token: { refreshAt: null },
    });
  });

  it('whose exchange is answered when the account has withdrawn again does not revive it', async () => {
    const { code, event } = await consent();
    breakPath(test, QUERY_AUTH, { kind: 'hang', afterEffect: true });
    await test.hub.push(event);
    await test.simulator.waitForCall(QUERY_AUTH);
    test.clock.advance(1000);
    await test.simulator.accounts.withdraw(PLATFORM, account, { push: true });
    test.simulator.release(QUERY_AUTH);
    await comeBack(test, code);
    expect((await tokenOf(test, account)).status).toBe(410);
    await authorizerTick(test);
    expect((await tokenOf(test, account)).status).toBe(410);
    expect(calls(test, AUTHORIZER_INFO)).toBeGreaterThan(0);
  });

  it('of a mini program that was registered authorizes it', async () => {
    const mini = newAccount(test, { kind: 'mini_program' });
    const { code } = await test.simulator.accounts.authorize(PLATFORM, mini, { push: false });
    const registered = { appid: mini, status: 0, auth_code: code, msg: 'OK' };
    await test.simulator.accounts.pushEvent(PLATFORM, 'notify_third_fasteregister', registered);
    await eventually('the authorization', async () =>
      (await tokenOf(test, mini)).status === 200 ? true : undefined,
    );
    const failed = { appid: '', status: 100_003, auth_code: '', msg: 'not confirmed' };
    const answer = await test.simulator.accounts.pushEvent(
      PLATFORM,
      'notify_third_fasteregister',
      failed,
    );
    expect(answer.body).toBe('success');
  });

  it('that waits for the ticket of its platform is exchanged when that has come', async () => {
    const { appid } = await addPlatform(test);
    const { code } = await test.simulator.accounts.authorize(appid, account, { push: false });
    expect(resultOf(await comeBack(test, code, appid))).toBe('pending');
    await prime(test, appid);
    test.clock.advance(2 * MINUTE);
    await authorizerTick(test);
    expect((await tokenOf(test, account, appid)).status).toBe(200);
  });

  it('is kept only as a hash once it is used, and not in the clear before', async () => {
    breakPath(test, QUERY_AUTH, { kind: 'errcode', errcode: -1 });
    const { code } = await consent();
    await comeBack(test, code);
    const dump = (): Promise<any[]> => sql(test).query('SELECT * FROM authorization_code');
    expect(JSON.stringify(await dump())).not.toContain(code);
    repair(test);
    test.clock.advance(HOUR / 2);
    await authorizerTick(test);
    const done = (await dump()).filter(({ state }) => state === 'done');
    expect(done.length).toBeGreaterThan(0);
    expect(done.every(({ code: kept }) => kept === null)).toBe(true);
  });
});
