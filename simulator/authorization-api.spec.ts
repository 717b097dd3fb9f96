import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { TestClient, textMessage } from './test-client.js';
import { WechatSimulator } from './wechat-simulator.js';

const { appid } = SIMULATOR_COMPONENT;
const OTHER = { ...SIMULATOR_COMPONENT, appid: 'wxfedcba9876543210' };
const SHOP = 'wx00000000000000a1';
const MINI = 'wx00000000000000b2';
const START_MS = 1_760_000_000_000;

let simulator: WechatSimulator;
let client: TestClient;
let nowMs: number;

beforeEach(async () => {
  nowMs = START_MS;
  simulator = await WechatSimulator.start({
    components: [SIMULATOR_COMPONENT, OTHER],
    now: () => nowMs,
  });
  simulator.accounts.add({ appid: SHOP, nickName: 'Shop <1>', funcInfo: [1, 2] });
  simulator.accounts.add({ appid: MINI, kind: 'mini_program' });
  client = new TestClient(simulator);
  await client.login();
});

afterEach(() => simulator.stop());

async function newCode(options = {}): Promise<string> {
  return (await simulator.accounts.authorize(appid, SHOP, options)).code;
}

const query = (code: string) => client.call('api_query_auth', { authorization_code: code });

describe('the component token', () => {
  it.each([
    'api_create_preauthcode',
    'api_query_auth',
    'api_authorizer_token',
    'api_get_authorizer_info',
    'api_get_authorizer_list',
    'get_authorizer_option',
    'api_set_authorizer_option',
  ])('is demanded by %s', async (name) => {
    const old = await client.login();
    expect((await client.call(name, {}, '')).errcode).toBe(41001);
    expect((await client.call(name, {}, 'nonsense')).errcode).toBe(40014);
    expect((await client.call(name, {}, `61_${'a'.repeat(147)}`)).errcode).toBe(40001);
    nowMs += 7_200_000;
    expect((await client.call(name, {}, old)).errcode).toBe(42001);
    const own = await client.login();
    const wrong = await client.call(name, { component_appid: OTHER.appid });
    expect(wrong.errcode).toBe(40013);
    const path = `/cgi-bin/component/${name}?access_token=${own}`;
    expect((await client.post(path, { component_appid: appid })).errcode).not.toBe(41001);
  });

  it('cannot be an authorizer token', async () => {
    const { authorizer_access_token: token } = await client.connect(SHOP);
    const answer = await client.call('api_create_preauthcode', {}, token);
    expect(answer.errcode).toBe(61014);
  });
});

describe('api_create_preauthcode', () => {
  it('answers a new code each time', async () => {
    const answer = await client.call('api_create_preauthcode');
    expect(answer).toEqual({
      pre_auth_code: expect.stringMatching(/^preauthcode@@@[\w-]{64}$/),
      expires_in: 1800,
    });
    const next = await client.call('api_create_preauthcode');
    expect(next.pre_auth_code).not.toBe(answer.pre_auth_code);
  });
});

describe('api_query_auth', () => {
  it('exchanges a code for tokens and permission sets', async () => {
    const given = await simulator.accounts.authorize(appid, SHOP);
    expect(given).toMatchObject({ expiresAt: START_MS / 1000 + 3600, infoType: 'authorized' });
    expect(given.code).toMatch(/^queryauthcode@@@/);
    expect(await query(given.code)).toEqual({
      authorization_info: {
        authorizer_appid: SHOP,
        authorizer_access_token: expect.stringMatching(/^\d\d_[\w-]{147}$/),
        expires_in: 7200,
        authorizer_refresh_token: expect.stringMatching(/^refreshtoken@@@[\w-]{43}$/),
        func_info: [{ funcscope_category: { id: 1 } }, { funcscope_category: { id: 2 } }],
      },
    });
  });

  it('takes a code once, or as often as set up', async () => {
    const code = await newCode();
    expect((await query(code)).errcode).toBeUndefined();
    expect((await query(code)).errcode).toBe(61009);
    simulator.accounts.configure({ codeMaxUses: 2 });
    expect((await query(code)).errcode).toBeUndefined();
    expect((await query(code)).errcode).toBe(61009);
  });

  it('refuses unknown, old, withdrawn and missing codes', async () => {
    expect((await query('queryauthcode@@@unknown')).errcode).toBe(61009);
    expect((await query('')).errcode).toBe(47001);
    expect((await query(await newCode({ codeLifeSeconds: 0 }))).errcode).toBe(61010);
    const code = await newCode();
    nowMs += 3_600_000;
    await client.login();
    expect((await query(code)).errcode).toBe(61010);
    const stale = await newCode();
    await simulator.accounts.withdraw(appid, SHOP);
    await newCode();
    expect((await query(stale)).errcode).toBe(61009);
  });

  it('refuses the code of another component and leaves it usable', async () => {
    const { code } = await simulator.accounts.authorize(OTHER.appid, SHOP);
    expect((await query(code)).errcode).toBe(61009);
    const other = new TestClient(simulator, OTHER);
    await other.login();
    const answer = await other.call('api_query_auth', { authorization_code: code });
    expect(answer.authorization_info.authorizer_appid).toBe(SHOP);
  });

  it('answers without tokens for an account without API rights', async () => {
    simulator.accounts.add({ appid: 'wxpoor', apiRights: false, funcInfo: [] });
    expect(await client.connect('wxpoor')).toEqual({ authorizer_appid: 'wxpoor', func_info: [] });
    const { list } = await client.call('api_get_authorizer_list', { offset: 0, count: 1 });
    expect(list).toMatchObject([{ authorizer_appid: 'wxpoor', refresh_token: '' }]);
  });
});

describe('api_get_authorizer_info', () => {
  const info = (account?: string) =>
    client.call('api_get_authorizer_info', { authorizer_appid: account });

  it('tells what an account is', async () => {
    const { authorizer_refresh_token: refresh } = await client.connect(SHOP);
    const answer = await info(SHOP);
    expect(answer.authorizer_info).toMatchObject({
      nick_name: 'Shop <1>',
      user_name: expect.stringMatching(/^gh_[0-9a-f]{12}$/),
      service_type_info: { id: 2 },
      verify_type_info: { id: 0 },
      account_status: 1,
    });
    expect(answer.authorizer_info).not.toHaveProperty('MiniProgramInfo');
    expect(answer.authorization_info).toEqual({
      authorizer_appid: SHOP,
      authorizer_refresh_token: refresh,
      func_info: [{ funcscope_category: { id: 1 } }, { funcscope_category: { id: 2 } }],
    });
  });

  it('has MiniProgramInfo for mini programs only, and fields of tomorrow', async () => {
    await client.connect(MINI);
    expect((await info(MINI)).authorizer_info).toHaveProperty('MiniProgramInfo.network');
    simulator.accounts.add({ appid: 'wxnew', accountStatus: 16, extraInfo: { shiny: [1] } });
    await simulator.accounts.authorize(appid, 'wxnew');
    const { authorizer_info } = await info('wxnew');
    expect(authorizer_info).toMatchObject({ account_status: 16, shiny: [1] });
  });

  it('refuses who has not authorized', async () => {
    expect((await info(SHOP)).errcode).toBe(61003);
    expect((await info('wxnobody')).errcode).toBe(40013);
    expect((await info()).errcode).toBe(47001);
    await simulator.accounts.authorize(appid, SHOP);
    expect((await info(SHOP)).errcode).toBeUndefined();
    await simulator.accounts.withdraw(appid, SHOP);
    expect((await info(SHOP)).errcode).toBe(61003);
  });
});

describe('api_get_authorizer_list', () => {
  const page = (offset: unknown, count: unknown) =>
    client.call('api_get_authorizer_list', { offset, count });

  it('is empty for an authorization until its code was exchanged', async () => {
    const code = await newCode();
    expect(await page(0, 500)).toEqual({ total_count: 0, list: [] });
    const { authorization_info: info } = await query(code);
    const refresh_token = info.authorizer_refresh_token;
    const listed = [{ authorizer_appid: SHOP, refresh_token, auth_time: START_MS / 1000 }];
    expect(await page(0, 500)).toEqual({ total_count: 1, list: listed });
    await simulator.accounts.withdraw(appid, SHOP);
    expect((await page(0, 500)).total_count).toBe(0);
    await newCode();
    expect((await page(0, 500)).total_count).toBe(0);
  });

  it('pages in a stable order that a re-authorization does not change', async () => {
    const appids = simulator.accounts.add({ count: 1201, authorizedTo: appid });
    await simulator.accounts.reauthorize(appid, appids[0] ?? '', { funcInfo: [9] });
    const pages = [await page(0, 500), await page(500, 500), await page(1000, 500)];
    expect(pages.map(({ total_count }) => total_count)).toEqual([1201, 1201, 1201]);
    const seen = pages.flatMap(({ list }) => list.map((item) => item.authorizer_appid));
    expect(seen).toEqual(appids);
    expect((await page(1201, 500)).list).toEqual([]);
  });

  it('refuses a page that is too long or none', async () => {
    expect((await page(0, 501)).errcode).toBe(40170);
    expect((await page(0, 0)).errcode).toBe(47001);
    expect((await page('0', 1)).errcode).toBe(47001);
    expect((await page(-1, 1)).errcode).toBe(47001);
  });
});

describe('options', () => {
  it.each(['', 'api_'])('are kept, at the paths with "%s"', async (prefix) => {
    const { authorizer_access_token: token } = await client.connect(SHOP);
    const set = { authorizer_appid: SHOP, option_name: 'location_report', option_value: '2' };
    expect((await client.call(`${prefix}set_authorizer_option`, set)).errcode).toBe(0);
    const path = `/cgi-bin/component/${prefix}get_authorizer_option?access_token=${token}`;
    expect(await client.post(path, { option_name: 'location_report' })).toEqual({
      authorizer_appid: SHOP,
      option_name: 'location_report',
      option_value: '2',
    });
    const get = { authorizer_appid: SHOP, option_name: 'voice_recognize' };
    expect((await client.call(`${prefix}get_authorizer_option`, get)).option_value).toBe('0');
  });

  it('refuse what does not exist', async () => {
    await client.connect(SHOP);
    const set = (change: object) =>
      client.call('set_authorizer_option', {
        authorizer_appid: SHOP,
        option_name: 'voice_recognize',
        option_value: '1',
        ...change,
      });
    expect((await set({ option_name: 'toString' })).errcode).toBe(61012);
    expect((await set({ option_value: '2' })).errcode).toBe(61013);
    expect((await set({ authorizer_appid: MINI })).errcode).toBe(61003);
  });
});

describe('customer messages', () => {
  it('are recorded with their account', async () => {
    const { authorizer_access_token: token } = await client.connect(SHOP);
    expect(await client.sendMessage(token)).toEqual({ errcode: 0, errmsg: 'ok' });
    const [message] = (await client.control('GET', '/messages')) as unknown[];
    expect(message).toEqual({
      component: appid,
      account: SHOP,
      touser: 'oABCD1234567890abcdefghijklm',
      msgtype: 'text',
      body: textMessage(),
      atMs: START_MS,
    });
    await client.control('DELETE', '/messages');
    expect(simulator.customMessages.last()).toEqual([]);
  });

  it('refuse wrong tokens and openids', async () => {
    const { authorizer_access_token: token } = await client.connect(SHOP);
    expect((await client.sendMessage('')).errcode).toBe(41001);
    expect((await client.sendMessage(await client.login())).errcode).toBe(40001);
    expect((await client.sendMessage(token, textMessage('?'))).errcode).toBe(40003);
    nowMs += 7_200_000;
    expect((await client.sendMessage(token)).errcode).toBe(42001);
    expect(simulator.customMessages.last()).toEqual([]);
  });
});
