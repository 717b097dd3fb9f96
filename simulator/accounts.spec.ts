import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IssuedTokens } from './accounts.js';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { TestClient } from './test-client.js';
import { field, Receiver } from './test-receiver.js';
import { WechatSimulator } from './wechat-simulator.js';

const { appid } = SIMULATOR_COMPONENT;
const SHOP = 'wx00000000000000a1';

let simulator: WechatSimulator;
let client: TestClient;
let receiver: Receiver;

beforeEach(async () => {
  receiver = new Receiver();
  simulator = await WechatSimulator.start({
    components: [{ ...SIMULATOR_COMPONENT, pushUrl: `${await receiver.start()}/events` }],
    now: () => 1_760_000_000_000,
  });
  client = new TestClient(simulator);
  await client.control('POST', '/accounts', { appid: SHOP, funcInfo: [1] });
});

afterEach(async () => {
  await simulator.stop();
  await receiver.stop();
});

describe('accounts', () => {
  it('are added by the thousand', async () => {
    const batch = { count: 1000, prefix: 'wxbeef', from: 255, kind: 'mixed', authorizedTo: appid };
    expect(await client.control('POST', '/accounts', batch)).toEqual({
      added: 1000,
      first: 'wxbeef0000000000ff',
      last: 'wxbeef0000000004e6',
    });
    expect(await client.control('GET', '/authorizations')).toEqual({
      accounts: 1001,
      authorized: 1000,
      listed: 1000,
      withWorkingToken: 0,
      tokensIssued: 0,
    });
    expect(await client.control('GET', '/authorizations/wxbeef0000000000ff')).toEqual({
      authorized: true,
      exchanged: true,
      authTime: 1_760_000_000,
      funcInfo: [1, 2, 3, 4, 11, 15],
      refreshToken: simulator.accounts.refreshTokenOf(appid, 'wxbeef0000000000ff'),
      accessToken: null,
    });
  });

  it('can wait for their first exchange', () => {
    simulator.accounts.add({ count: 3, authorizedTo: appid, exchanged: false });
    expect(simulator.accounts.counts(appid)).toMatchObject({ authorized: 3, listed: 0 });
  });

  it.each([
    [{ appid: SHOP }, 'exists already'],
    [{}, 'appid must be'],
    [{ appid: 'wx2', kind: 'shop' }, 'kind must be'],
    [{ appid: 'wx2', funcInfo: ['1'] }, 'funcInfo must be'],
    [{ count: 0 }, 'count must be'],
    [{ count: 1, prefix: 'wxmuchtoolong' }, 'prefix must have'],
    [{ appid: 'wx2', authorizedTo: 'wx3' }, 'no component wx3'],
  ])('are refused: %o', async (body, error) => {
    expect(await client.control('POST', '/accounts', body)).toEqual({
      error: expect.stringContaining(error),
    });
    expect(simulator.accounts.counts(appid).accounts).toBe(1);
  });
});

describe('authorizations', () => {
  it('are given, changed and withdrawn by control calls, with events', async () => {
    const first = await client.control('POST', '/authorize', { account: SHOP, preAuthCode: null });
    expect(first).toEqual({
      code: expect.stringMatching(/^queryauthcode@@@/),
      expiresAt: 1_760_003_600,
      infoType: 'authorized',
      push: expect.objectContaining({ status: 200, body: 'success' }),
    });
    const second = { account: SHOP, funcInfo: [1, 2], codeLifeSeconds: 60 };
    await client.control('POST', '/reauthorize', second);
    await client.control('POST', '/withdraw', { account: SHOP });
    const types = receiver.texts.map((event) => field(event, 'InfoType'));
    expect(types).toEqual(['authorized', 'updateauthorized', 'unauthorized']);
    expect(receiver.texts[0]).not.toContain('PreAuthCode');
    expect(field(receiver.texts[1], 'AuthorizationCodeExpiredTime')).toBe('1760000060');
    expect(receiver.texts[2]).toBe(
      `<xml><AppId><![CDATA[${appid}]]></AppId><CreateTime>1760000000</CreateTime>` +
        '<InfoType><![CDATA[unauthorized]]></InfoType>' +
        `<AuthorizerAppid><![CDATA[${SHOP}]]></AuthorizerAppid></xml>`,
    );
  });

  it('leave the event to be pushed later, and twice', async () => {
    const { event, push } = await simulator.accounts.authorize(appid, SHOP, { push: false });
    expect([push, receiver.texts.length]).toEqual([null, 0]);
    if (!event) expect.fail('no event');
    await Promise.all([simulator.push(appid, event), simulator.push(appid, event)]);
    expect(receiver.texts[0]).toBe(receiver.texts[1]);
  });

  it('push nothing where nobody listens, unless asked to', async () => {
    simulator.updateComponent(appid, { pushUrl: null });
    expect((await simulator.accounts.authorize(appid, SHOP)).push).toBeNull();
    await expect(simulator.accounts.withdraw(appid, SHOP, { push: true })).rejects.toThrow(
      'no pushUrl',
    );
  });

  it('need a known account and component', async () => {
    await expect(simulator.accounts.authorize(appid, 'wx1')).rejects.toThrow('no account wx1');
    await expect(simulator.accounts.authorize('wx1', SHOP)).rejects.toThrow('no component wx1');
    expect(simulator.accounts.authorizationOf(appid, SHOP)).toBeNull();
    expect(await client.control('POST', '/authorize', {})).toHaveProperty('error');
  });
});

describe('settings', () => {
  it('are shown and changed', async () => {
    expect(await client.control('GET', '/authorization-settings')).toEqual({
      authorizerTokenLifeSeconds: 7200,
      preAuthCodeLifeSeconds: 1800,
      codeLifeSeconds: 3600,
      codeMaxUses: 1,
      refreshTokenAnswer: 'same',
      checkReferer: true,
      eventCode: 'same',
      eventTiming: 'event_first',
      eventDelayMs: 1000,
    });
    const change = { codeMaxUses: 2, eventTiming: 'none' };
    const changed = await client.control('PATCH', '/authorization-settings', change);
    expect(changed).toMatchObject(change);
    for (const wrong of [{ codeMaxUses: 0 }, { eventTiming: 'never' }, { toString: 1 }]) {
      const refused = await client.control('PATCH', '/authorization-settings', wrong);
      expect(refused).toHaveProperty('error');
    }
  });
});

describe('events of any type', () => {
  it('carry nested and repeated fields', async () => {
    await client.control('POST', '/events', {
      infoType: 'notify_third_fasteregister',
      fields: { appid: SHOP, status: 0, msg: 'O]]>K', info: { name: '公司', code_type: 1 } },
    });
    expect(receiver.texts[0]).toContain(
      `<appid><![CDATA[${SHOP}]]></appid><status>0</status>` +
        '<msg><![CDATA[O]]]]><![CDATA[>K]]></msg>' +
        '<info><name><![CDATA[公司]]></name><code_type>1</code_type></info></xml>',
    );
    const list = [
      { appid: 'wx1', ret_code: 0 },
      { appid: 'wx2', ret_code: 1 },
    ];
    const type = 'order_path_apply_result_notify';
    await simulator.accounts.pushEvent(appid, type, { list }, { createTime: 5 });
    expect(field(receiver.texts[1], 'CreateTime')).toBe('5');
    expect(receiver.texts[1]).toContain(
      '<list><appid><![CDATA[wx1]]></appid><ret_code>0</ret_code></list><list>',
    );
    expect(await client.control('POST', '/events', {})).toHaveProperty('error');
  });
});

describe('tokens', () => {
  it('are checked by a control call', async () => {
    await client.login();
    const { authorizer_access_token: token } = await client.connect(SHOP);
    const check = (text: string) =>
      client.control('POST', '/authorizer-tokens/check', { token: text });
    expect(await check(token)).toEqual({ valid: true });
    expect(await check('nonsense')).toEqual({ valid: false });
    await simulator.accounts.withdraw(appid, SHOP);
    expect(await check(token)).toEqual({ valid: false });
  });

  it('are issued to many accounts at once, with lives of their own', async () => {
    simulator.accounts.add({ count: 3, prefix: 'wxmany', authorizedTo: appid });
    const range = { offset: 1, count: 2, lifeSeconds: 60 };
    const issued = (await client.control(
      'POST',
      '/authorizer-tokens/issue',
      range,
    )) as unknown as IssuedTokens[];
    expect(issued).toHaveLength(2);
    for (const { account, accessToken, refreshToken, expiresAtMs } of issued) {
      expect(expiresAtMs).toBe(1_760_000_060_000);
      expect(simulator.accounts.currentToken(appid, account)?.value).toBe(accessToken);
      expect(simulator.accounts.refreshTokenOf(appid, account)).toBe(refreshToken);
    }
    const { withWorkingToken, tokensIssued } = simulator.accounts.counts(appid);
    expect([withWorkingToken, tokensIssued]).toEqual([2, 2]);
  });
});
