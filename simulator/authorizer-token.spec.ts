import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { TestClient, type ApiAnswer } from './test-client.js';
import { WechatSimulator } from './wechat-simulator.js';

const PATH = '/cgi-bin/component/api_authorizer_token';
const { appid } = SIMULATOR_COMPONENT;
const SHOP = 'wx00000000000000a1';
const NEVER = 'wx00000000000000c3';

let simulator: WechatSimulator;
let client: TestClient;
let nowMs: number;
let access: string;
let refreshToken: string;

beforeEach(async () => {
  nowMs = 1_760_000_000_000;
  simulator = await WechatSimulator.start({
    components: [{ ...SIMULATOR_COMPONENT, tokenLifeSeconds: 86_400 }],
    now: () => nowMs,
  });
  simulator.accounts.add({ appid: SHOP });
  simulator.accounts.add({ appid: NEVER });
  client = new TestClient(simulator);
  await client.login();
  const info = await client.connect(SHOP);
  access = info.authorizer_access_token;
  refreshToken = info.authorizer_refresh_token;
});

afterEach(() => simulator.stop());

function refresh(token: unknown = refreshToken, account = SHOP): Promise<ApiAnswer> {
  const body = { authorizer_appid: account, authorizer_refresh_token: token };
  return client.call('api_authorizer_token', body);
}

const errcodeOf = async (token: string) => (await client.sendMessage(token)).errcode;

describe('api_authorizer_token', () => {
  it('answers a new token and the same refresh token', async () => {
    const answer = await refresh();
    expect(answer).toEqual({
      authorizer_access_token: expect.stringMatching(/^\d\d_[\w-]{147}$/),
      expires_in: 7200,
      authorizer_refresh_token: refreshToken,
    });
    expect(answer.authorizer_access_token).not.toBe(access);
    expect(await errcodeOf(answer.authorizer_access_token)).toBe(0);
    expect(simulator.accounts.currentToken(appid, SHOP)).toEqual({
      value: answer.authorizer_access_token,
      expiresAtMs: nowMs + 7_200_000,
    });
  });

  it('leaves each replaced token working for five minutes', async () => {
    const second = (await refresh()).authorizer_access_token;
    nowMs += 200_000;
    await refresh();
    nowMs += 99_999;
    expect([await errcodeOf(access), await errcodeOf(second)]).toEqual([0, 0]);
    nowMs += 1;
    expect([await errcodeOf(access), await errcodeOf(second)]).toEqual([40001, 0]);
    nowMs += 200_000;
    expect(await errcodeOf(second)).toBe(40001);
    expect(simulator.accounts.isTokenValid(second)).toBe(false);
  });

  it('leaves out or rotates the refresh token where set up', async () => {
    simulator.accounts.configure({ refreshTokenAnswer: 'omit' });
    expect(await refresh()).not.toHaveProperty('authorizer_refresh_token');
    simulator.accounts.configure({ refreshTokenAnswer: 'rotate' });
    const rotated = (await refresh()).authorizer_refresh_token;
    expect(rotated).not.toBe(refreshToken);
    expect(simulator.accounts.refreshTokenOf(appid, SHOP)).toBe(rotated);
    simulator.accounts.configure({ refreshTokenAnswer: 'same' });
    nowMs += 299_999;
    expect((await refresh()).authorizer_refresh_token).toBe(rotated);
    nowMs += 1;
    expect((await refresh()).errcode).toBe(61023);
    expect((await refresh(rotated)).errcode).toBeUndefined();
  });

  it('refuses wrong refresh tokens and accounts', async () => {
    expect((await refresh('')).errcode).toBe(61023);
    expect((await refresh(null)).errcode).toBe(61023);
    expect((await refresh(access)).errcode).toBe(61023);
    expect(
      (await refresh(`${refreshToken.slice(0, -1)}${refreshToken.endsWith('A') ? 'B' : 'A'}`))
        .errcode,
    ).toBe(61023);
    expect((await refresh(refreshToken, NEVER)).errcode).toBe(61003);
    expect((await refresh(refreshToken, 'wxnobody')).errcode).toBe(40013);
    const { authorizer_refresh_token: other } = await client.connect(NEVER);
    expect((await refresh(other)).errcode).toBe(61023);
  });

  it('obeys the life that is set', async () => {
    simulator.accounts.configure({ authorizerTokenLifeSeconds: 30 });
    const answer = await refresh();
    expect(answer.expires_in).toBe(30);
    nowMs += 30_000;
    expect(await errcodeOf(answer.authorizer_access_token)).toBe(42001);
    // Its own life was longer, and it was replaced less than five minutes ago.
    expect(await errcodeOf(access)).toBe(0);
  });
});

describe('a re-authorization', () => {
  it('voids the access tokens and keeps the refresh token', async () => {
    const second = (await refresh()).authorizer_access_token;
    const given = await simulator.accounts.reauthorize(appid, SHOP, { funcInfo: [1, 99] });
    expect(given.infoType).toBe('updateauthorized');
    expect([await errcodeOf(access), await errcodeOf(second)]).toEqual([40001, 40001]);
    expect(simulator.accounts.currentToken(appid, SHOP)).toBeNull();
    const answer = await client.call('api_query_auth', { authorization_code: given.code });
    const info = answer.authorization_info;
    expect(info.authorizer_refresh_token).toBe(refreshToken);
    expect(info.func_info.at(-1)).toEqual({ funcscope_category: { id: 99 } });
    expect(await errcodeOf(info.authorizer_access_token)).toBe(0);
  });

  it('can rotate the refresh token, which voids the old one at once', async () => {
    await simulator.accounts.reauthorize(appid, SHOP, { rotateRefreshToken: true });
    expect((await refresh()).errcode).toBe(61023);
    expect((await refresh(simulator.accounts.refreshTokenOf(appid, SHOP))).errcode).toBeUndefined();
  });

  it('has no event when the permission sets stay', async () => {
    const { infoType, event } = await simulator.accounts.reauthorize(appid, SHOP);
    expect([infoType, event]).toEqual([null, null]);
  });

  it('needs an authorization', async () => {
    await expect(simulator.accounts.reauthorize(appid, NEVER)).rejects.toThrow(
      'has not authorized',
    );
  });
});

describe('a withdrawal', () => {
  it('voids everything, and a new authorization has a new refresh token', async () => {
    await simulator.accounts.withdraw(appid, SHOP);
    expect(await errcodeOf(access)).toBe(40001);
    expect((await refresh()).errcode).toBe(61023);
    expect(simulator.accounts.refreshTokenOf(appid, SHOP)).toBeNull();
    const again = await client.connect(SHOP);
    expect(again.authorizer_refresh_token).not.toBe(refreshToken);
    expect((await refresh()).errcode).toBe(61023);
    expect((await refresh(again.authorizer_refresh_token)).errcode).toBeUndefined();
    expect(await errcodeOf(access)).toBe(40001);
  });

  it('happens once', async () => {
    await simulator.accounts.withdraw(appid, SHOP);
    await expect(simulator.accounts.withdraw(appid, SHOP)).rejects.toThrow('has not authorized');
  });
});

describe('authorizer tokens', () => {
  it('open get_api_domain_ip as well', async () => {
    const ask = async () => {
      const url = `${simulator.url}/cgi-bin/get_api_domain_ip?access_token=${access}`;
      return (await (await fetch(url)).json()) as ApiAnswer;
    };
    expect((await ask()).ip_list).toHaveLength(3);
    simulator.accounts.expireTokens(appid, { account: SHOP });
    expect((await ask()).errcode).toBe(42001);
  });

  it('can be voided, of one account or all', async () => {
    await client.connect(NEVER);
    await refresh();
    const expire = (body: object) => client.control('POST', '/authorizer-tokens/expire', body);
    expect(await expire({ account: SHOP, errcode: 40001 })).toEqual({ voided: 2 });
    expect(await errcodeOf(access)).toBe(40001);
    expect(await expire({})).toEqual({ voided: 1 });
    expect(simulator.accounts.currentToken(appid, NEVER)).toBeNull();
    expect(await expire({ errcode: 5 })).toHaveProperty('error');
  });

  it('of another simulator are unknown', async () => {
    const other = await WechatSimulator.start({ components: [SIMULATOR_COMPONENT] });
    expect(other.accounts.isTokenValid(access)).toBe(false);
    await other.stop();
  });
});

describe('faults', () => {
  it.each([true, false])('hold a refresh (afterEffect %s)', async (afterEffect) => {
    simulator.addFault({ path: PATH, kind: 'hang', times: 1, afterEffect });
    const pending = refresh();
    await simulator.waitForCall(PATH);
    const replaced = simulator.accounts.currentToken(appid, SHOP)?.value !== access;
    expect(replaced).toBe(afterEffect);
    expect(simulator.release(PATH)).toBe(1);
    const { authorizer_access_token: token } = await pending;
    expect(simulator.accounts.currentToken(appid, SHOP)?.value).toBe(token);
  });

  it('lose the answer of an exchange whose code is used then', async () => {
    const { code } = await simulator.accounts.authorize(appid, SHOP);
    const query = () => client.call('api_query_auth', { authorization_code: code });
    simulator.addFault({ kind: 'reset', times: 1, afterEffect: true });
    await expect(query()).rejects.toThrow();
    expect((await query()).errcode).toBe(61009);
    expect(simulator.accounts.currentToken(appid, SHOP)).not.toBeNull();
  });

  it('answer an errcode', async () => {
    simulator.addFault({ path: PATH, kind: 'errcode', errcode: 45009, times: 1 });
    expect((await refresh()).errcode).toBe(45009);
    expect((await refresh()).errcode).toBeUndefined();
    expect(simulator.callSummary().paths[PATH]).toEqual({
      arrived: 2,
      answered: { 0: 1, 45009: 1 },
    });
  });
});
