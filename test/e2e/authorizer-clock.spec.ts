import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_INFO,
  AUTHORIZER_LIST,
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  breakPath,
  calls,
  comeBack,
  infoTick,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
  resync,
  resyncEnded,
  resultOf,
  resyncTick,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, repair, sql } from '../support/token-world.js';

/** How far the clock was ahead: further than anything here waits. */
const AHEAD = 40 * 24 * HOUR;

describe.each(databaseKinds())('after a clock that was ahead has been put right, on %s', (kind) => {
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

  const infoDueAt = (time: number): Promise<unknown> =>
    sql(test).query('UPDATE authorizer SET info_due_at = ? WHERE authorizer_appid = ?', [
      time,
      account,
    ]);

  it('the daily resync begins', async () => {
    await resync(test);
    const query = 'UPDATE authorizer_resync SET started_at = ?';
    await sql(test).query(query, [test.clock.now() + AHEAD]);
    test.simulator.clearCalls();
    await resyncEnded(test);
    await resyncTick(test);
    expect(calls(test, AUTHORIZER_LIST)).toBe(1);
  });

  it('an account that a resync did not find is looked up', async () => {
    const query = 'UPDATE authorizer SET last_authorized_at = ?, resync_id = NULL';
    await test.simulator.accounts.withdraw(PLATFORM, account, { push: false });
    await sql(test).query(query, [test.clock.now() + AHEAD]);
    test.clock.advance(HOUR / 60);
    await resync(test);
    await infoTick(test);
    expect((await test.hub.get(`/admin/authorizers/${PLATFORM}/${account}`)).json.status).toBe(
      'revoked',
    );
  });

  it('a code that waits is exchanged', async () => {
    account = newAccount(test);
    breakPath(test, QUERY_AUTH, { kind: 'errcode', errcode: -1 });
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account, { push: false });
    expect(resultOf(await comeBack(test, code))).toBe('pending');
    repair(test);
    const query = "UPDATE authorization_code SET next_attempt_at = ? WHERE state = 'pending'";
    await sql(test).query(query, [test.clock.now() + AHEAD]);
    await authorizerTick(test);
    expect(test.simulator.accounts.isTokenValid(await tokenText(test, account))).toBe(true);
  });

  it('the information of an account is fetched', async () => {
    await infoDueAt(test.clock.now() + AHEAD);
    await infoTick(test);
    expect(calls(test, AUTHORIZER_INFO)).toBe(1);
    await infoTick(test);
    expect(calls(test, AUTHORIZER_INFO)).toBe(1);
  });

  it('the accounts of a platform rest no longer for it', async () => {
    breakPath(test, AUTHORIZER_INFO, { kind: 'errcode', errcode: 45009, times: 1 });
    test.clock.advance(HOUR);
    await infoDueAt(test.clock.now());
    await infoTick(test);
    await infoDueAt(test.clock.now());
    await infoTick(test);
    expect(calls(test, AUTHORIZER_INFO)).toBe(1);
    test.clock.advance(-HOUR);
    test.clock.advance(HOUR / 4);
    await infoDueAt(test.clock.now());
    await infoTick(test);
    expect(calls(test, AUTHORIZER_INFO)).toBe(2);
  });
});
