import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_INFO,
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  authorizerTick,
  breakPath,
  detailOf,
  historyOf,
  newAccounts,
  pass,
  PLATFORM,
  resync,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { addPlatform, breakExchange, calls, HOUR, issued, MINUTE } from '../support/token-world.js';
import { repair, prime, SECOND, sql, tick } from '../support/token-world.js';

const LOST_KEY = `enc:v1:lost:${'A'.repeat(60)}`;
const DAMAGED = 'enc:v1:t1:AAAA';

describe.each(databaseKinds())('a stored token that cannot be read on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
    await prime(test);
  });
  afterEach(() => test.close());

  const errors = (location: string) => logLines(location).filter(({ level }) => level === 'error');

  it.each([
    ['damaged', DAMAGED],
    ['under a lost key', LOST_KEY],
  ])('(%s) counts as none: another is got, and the rest goes on', async (_, value) => {
    const { appid } = await addPlatform(test);
    const old = await prime(test, appid);
    test.simulator.clearCalls();
    await damage(appid, value);
    const list = await test.hub.get('/admin/tokens');
    expect(list.json.find((one: any) => one.componentAppId === appid)).toMatchObject({
      componentAccessToken: null,
      generation: 1,
    });
    expect((await test.hub.get('/health/ready')).json.components).toContainEqual(
      expect.objectContaining({ componentAppId: appid, token: 'down' }),
    );
    test.clock.advance(5 * SECOND);
    const reads = await Promise.all(Array.from({ length: 50 }, () => test.hub.accessToken(appid)));
    expect(new Set(reads.map(({ json }) => json.component_access_token))).toEqual(
      new Set([issued(test, appid)]),
    );
    expect(issued(test, appid)).not.toBe(old);
    expect(calls(test)).toBe(1);
    expect(errors(`component_access_token.access_token:${appid}`)).toHaveLength(1);
  });

  it('is replaced by the timer, and kept until there is another', async () => {
    const { appid } = await addPlatform(test);
    await prime(test, appid);
    await damage(appid, DAMAGED);
    test.clock.advance(5 * SECOND);
    breakExchange(test, { kind: 'errcode', errcode: 61004 });
    expect((await test.hub.accessToken(appid)).status).toBe(502);
    const where = [appid];
    const query = 'SELECT access_token FROM component_access_token WHERE component_appid = ?';
    expect(await sql(test).query(query, where)).toEqual([{ access_token: DAMAGED }]);
    repair(test);
    test.clock.advance(2 * MINUTE);
    await tick(test);
    expect((await test.hub.token(appid)).json).toMatchObject({ generation: 2, lastError: null });
  });

  it('of an account is replaced with its refresh token', async () => {
    const [account] = await accounts(1);
    await damageAccount(account, 'access_token', LOST_KEY);
    const { status, json } = await tokenOf(test, account);
    expect(status).toBe(200);
    expect(test.simulator.accounts.isTokenValid(json.authorizer_access_token)).toBe(true);
    expect([calls(test, AUTHORIZER_TOKEN), calls(test, AUTHORIZER_INFO)]).toEqual([1, 0]);
    expect(errors(`authorizer.access_token:${PLATFORM}/${account}`)).toHaveLength(1);
  });

  it.each(['a read', 'the timer'])(
    'and gets others is asked of WeChat, at %s, and repaired: a refresh token',
    async (by) => {
      const [account, other = ''] = await accounts(2);
      await damageAccount(account, 'refresh_token', DAMAGED);
      await pass(test, 3 * HOUR);
      if (by === 'the timer') await authorizerTick(test);
      for (const one of [account, other]) {
        expect(test.simulator.accounts.isTokenValid(await tokenText(test, one))).toBe(true);
      }
      expect(calls(test, AUTHORIZER_INFO)).toBe(1);
      expect(errors(`authorizer.refresh_token:${PLATFORM}/${account}`)).toHaveLength(1);
      expect(await refreshTokenOf(account)).toMatch(/^enc:v1:t1:.{40}/);
      test.clock.advance(MINUTE);
      await test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`);
      expect(calls(test, AUTHORIZER_INFO)).toBe(1);
    },
  );

  it('and that WeChat has not either needs the account; the stored value stays', async () => {
    const [account] = await accounts(1);
    await damageAccount(account, 'refresh_token', DAMAGED);
    await pass(test, 3 * HOUR);
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'errcode', errcode: 61023 });
    for (let read = 0; read < 3; read += 1) {
      expect(await tokenOf(test, account)).toMatchObject({
        status: 409,
        json: { error: { code: 'needs_reauthorization' } },
      });
    }
    expect([calls(test, AUTHORIZER_TOKEN), calls(test, AUTHORIZER_INFO)]).toEqual([1, 1]);
    expect((await historyOf(test, account)).at(-1)).toBe('refresh_token_unreadable');
    expect(await refreshTokenOf(account)).toBe(DAMAGED);
    repair(test);
    await resync(test);
    expect(await detailOf(test, account)).toMatchObject({ status: 'active' });
    expect(test.simulator.accounts.isTokenValid(await tokenText(test, account))).toBe(true);
  });

  it('while WeChat is away is not given up', async () => {
    const [account] = await accounts(1);
    await damageAccount(account, 'refresh_token', DAMAGED);
    await pass(test, 3 * HOUR);
    breakPath(test, AUTHORIZER_INFO, { kind: 'http', status: 502 });
    expect((await tokenOf(test, account)).status).toBe(502);
    expect((await detailOf(test, account)).status).toBe('active');
    expect(await refreshTokenOf(account)).toBe(DAMAGED);
    repair(test);
    test.clock.advance(MINUTE);
    expect((await tokenOf(test, account)).status).toBe(200);
  });

  it('holds up no resync, which repairs it', async () => {
    const all = await accounts(3);
    await damageAccount(all[1] as string, 'refresh_token', LOST_KEY);
    await pass(test, MINUTE);
    await resync(test);
    expect(await historyOf(test, all[1] as string)).toContain('refresh_token_repaired');
    expect(await refreshTokenOf(all[1] as string)).toMatch(/^enc:v1:t1:.{40}/);
  });

  async function accounts(count: number): Promise<[string, ...string[]]> {
    const made = newAccounts(test, count) as [string, ...string[]];
    for (const account of made) await authorizeByEvent(test, account);
    await authorizerTick(test);
    test.simulator.clearCalls();
    return made;
  }

  const damage = (appid: string, value: string): Promise<unknown> =>
    sql(test).query(
      'UPDATE component_access_token SET access_token = ? WHERE component_appid = ?',
      [value, appid],
    );

  const damageAccount = (account: string, column: string, value: string): Promise<unknown> =>
    sql(test).query(`UPDATE authorizer SET ${column} = ? WHERE authorizer_appid = ?`, [
      value,
      account,
    ]);

  async function refreshTokenOf(account: string): Promise<string> {
    const query = 'SELECT refresh_token FROM authorizer WHERE authorizer_appid = ?';
    return (await sql(test).query(query, [account]))[0].refresh_token;
  }
});
