import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_TOKEN,
  authorizerHub,
  authorizerTick,
  breakPath,
  calls,
  comeBack,
  detailOf,
  importAll,
  newAccount,
  newAccounts,
  pass,
  PLATFORM,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds, mysqlOnly } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import {
  addPlatform,
  HOUR,
  repair,
  MINUTE,
  prime,
  secondHub,
  sql,
} from '../support/token-world.js';

const DAY = 24 * HOUR;
/** Accounts that are due together. */
const MANY = 1000;

describe.each(mysqlOnly())('two hubs on one %s', (kind) => {
  let first: TestApp;
  let second: TestApp;

  beforeAll(async () => {
    // Two hubs, their WeChat and hundreds of calls at once share one thread here.
    const env = { WECHAT_API_TIMEOUT_MS: '8000' };
    first = await authorizerHub({ database: kind, env });
    second = await secondHub(first, env);
    newAccounts(first, MANY, { authorizedTo: PLATFORM });
    await importAll(first);
  }, 90_000);
  afterAll(async () => {
    await second.close();
    await first.close();
  });
  afterEach(() => repair(first));

  it('refresh what is due together, each account once', async () => {
    const hubs = [first, second];
    await Promise.all(hubs.map((hub) => authorizerTick(hub)));
    await pass(first, 111 * MINUTE);
    const [{ highest }] = await sql(first).query(
      'SELECT MAX(generation) AS highest FROM authorizer',
    );
    first.simulator.clearCalls();
    await Promise.all(hubs.map((hub) => authorizerTick(hub)));
    await Promise.all(hubs.map((hub) => authorizerTick(hub)));
    expect(calls(first, AUTHORIZER_TOKEN)).toBe(MANY);
    const { withWorkingToken } = first.simulator.accounts.counts(PLATFORM);
    expect(withWorkingToken).toBe(MANY);
    const stale = await sql(first).query(
      'SELECT generation, attempts, last_error, lease_until, access_token IS NULL AS without ' +
        'FROM authorizer WHERE generation <> ? OR access_token IS NULL OR lease_until IS NOT NULL',
      [Number(highest) + 1],
    );
    expect(stale).toEqual([]);
  }, 90_000);

  it('keep what is under way out of the way of the next claim', async () => {
    await pass(first, 111 * MINUTE);
    breakPath(first, AUTHORIZER_TOKEN, { kind: 'hang' });
    first.simulator.clearCalls();
    const turn = authorizerTick(first);
    await first.simulator.waitForCall(AUTHORIZER_TOKEN, { count: 100 });
    const [{ leased, inTheWay }] = await sql(first).query(
      'SELECT COUNT(*) AS leased, SUM(refresh_at <= ?) AS inTheWay FROM authorizer ' +
        'WHERE lease_until IS NOT NULL',
      [first.clock.now()],
    );
    repair(first);
    first.simulator.release(AUTHORIZER_TOKEN);
    await turn;
    expect([Number(leased), Number(inTheWay)]).toEqual([100, 0]);
    const { authorized } = first.simulator.accounts.counts(PLATFORM);
    expect(calls(first, AUTHORIZER_TOKEN)).toBe(authorized);
  });

  it('hand out no token that the other knows to be dead, after 5 seconds', async () => {
    const account = newAccount(first, { authorizedTo: PLATFORM });
    await importAll(first);
    const dead = await tokenText(first, account);
    expect(await tokenText(second, account)).toBe(dead);
    await first.simulator.accounts.withdraw(PLATFORM, account, { push: true });
    expect((await tokenOf(first, account)).status).toBe(410);
    first.clock.advance(5000);
    expect((await tokenOf(second, account)).status).toBe(410);
  });

  it('report one token at the same time, and get one other', async () => {
    const account = newAccount(first, { authorizedTo: PLATFORM });
    await importAll(first);
    const token = await tokenText(first, account);
    first.simulator.accounts.expireTokens(PLATFORM, { account, errcode: 40001 });
    first.simulator.clearCalls();
    const path = `/api/authorizers/${account}/access-token/invalidate`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? first : second).hub.post(path, { token }),
      ),
    );
    expect(new Set(answers.map(({ json }) => json.authorizer_access_token)).size).toBe(1);
    expect(calls(first, AUTHORIZER_TOKEN)).toBe(1);
  });
});

describe.each(databaseKinds())('many authorizers on %s', (kind) => {
  let test: TestApp;
  let accounts: string[];

  beforeAll(async () => {
    test = await authorizerHub({ database: kind, env: { AUTHORIZER_WARM_DAYS: '2' } });
    accounts = newAccounts(test, 60, { authorizedTo: PLATFORM });
    await importAll(test);
  });
  afterAll(() => test.close());
  afterEach(() => repair(test));

  const column = async (name: string): Promise<any[]> =>
    (await sql(test).query(`SELECT ${name} AS value FROM authorizer`)).map(
      ({ value }: { value: unknown }) => value,
    );

  it('that got their tokens together are refreshed at times of their own', async () => {
    const due = (await column('refresh_at')).map((value) => Number(value) - test.clock.now());
    expect(due).toHaveLength(60);
    expect(Math.min(...due)).toBeGreaterThan(80 * MINUTE);
    expect(Math.max(...due)).toBeLessThanOrEqual(110 * MINUTE);
    expect(Math.max(...due) - Math.min(...due)).toBeGreaterThan(15 * MINUTE);
  });

  it.each([
    ['45009', 45009, 15 * MINUTE],
    ['45011', 45011, MINUTE],
    ['61004', 61004, MINUTE],
  ])('rest as a whole after %s, and go on by themselves', async (_, errcode, rest) => {
    newAccounts(test, 100, { authorizedTo: PLATFORM });
    await importAll(test);
    await pass(test, 121 * MINUTE);
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'errcode', errcode, times: 1 });
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'delay', delayMs: 20 });
    test.simulator.clearCalls();
    await authorizerTick(test);
    // What was under way is finished; of what was not, nothing is begun.
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(100);
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(100);
    repair(test);
    test.clock.advance(rest + 1000);
    await prime(test);
    await authorizerTick(test);
    // The one that met the limit itself waits as its own failure says, unless somebody asks.
    const limited = await sql(test).query(
      'SELECT authorizer_appid FROM authorizer WHERE attempts > 0',
    );
    expect(limited.length).toBeLessThanOrEqual(1);
    for (const { authorizer_appid: account } of limited) {
      await test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`);
    }
    const { withWorkingToken, authorized } = test.simulator.accounts.counts(PLATFORM);
    expect(withWorkingToken).toBe(authorized);
  });

  it('of which some fail are refreshed but for those, which are put off', async () => {
    await pass(test, 5 * HOUR);
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'http', status: 500, times: 10 });
    test.simulator.clearCalls();
    await authorizerTick(test);
    const counts = test.simulator.accounts.counts(PLATFORM);
    expect(counts.withWorkingToken).toBe(counts.authorized - 10);
    const failed = await sql(test).query(
      'SELECT refresh_at, next_attempt_at FROM authorizer WHERE attempts > 0',
    );
    expect(failed).toHaveLength(10);
    for (const row of failed) {
      expect(Number(row.refresh_at)).toBe(Number(row.next_attempt_at));
      expect(Number(row.refresh_at)).toBeGreaterThan(test.clock.now());
    }
    const asked = calls(test, AUTHORIZER_TOKEN);
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(asked);
    test.clock.advance(MINUTE);
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(asked + 10);
  });

  it('that no service uses are let be, and come back when one reads them', async () => {
    await pass(test, 3 * DAY);
    const [busy, ...idle] = accounts as [string, ...string[]];
    await tokenText(test, busy);
    await authorizerTick(test);
    await pass(test, 111 * MINUTE);
    test.simulator.clearCalls();
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(1);
    expect((await detailOf(test, idle[0] as string)).token.refreshAt).toBeNull();
    const token = await tokenText(test, idle[0] as string);
    expect(test.simulator.accounts.isTokenValid(token)).toBe(true);
    await pass(test, 111 * MINUTE);
    test.simulator.clearCalls();
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(2);
  });

  it('of a platform that has no token wait for it, while others are refreshed', async () => {
    const { appid } = await addPlatform(test);
    await prime(test, appid);
    const [theirs] = newAccounts(test, 1, { authorizedTo: appid }) as [string];
    const { code } = await test.simulator.accounts.authorize(appid, theirs, { push: false });
    await comeBack(test, code, appid);
    const [ours] = accounts as [string];
    await tokenText(test, ours);
    test.clock.advance(13 * HOUR);
    await prime(test);
    test.simulator.clearCalls();
    await authorizerTick(test);
    expect(calls(test, AUTHORIZER_TOKEN)).toBeGreaterThan(0);
    expect((await detailOf(test, theirs, appid)).token).toMatchObject({ attempts: 0 });
    await prime(test, appid);
    await authorizerTick(test);
    expect((await detailOf(test, theirs, appid)).token).toMatchObject({ generation: 2 });
  });
});
