import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  AUTHORIZER_TOKEN,
  authorizerHub,
  calls,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { EXCHANGE, HOUR, prime } from '../support/token-world.js';
import { apiKey, sdkCall } from '../support/wx-world.js';

const SEND = 'cgi-bin/message/custom/send';
const MESSAGE = { touser: 'fake_openid', msgtype: 'text', text: { content: 'hello' } };
const STAND_IN = expect.stringMatching(/^[\w-]{33,512}$/);

describe.each(databaseKinds())('a platform’s SDK at the drop-in address on %s', (kind) => {
  let test: TestApp;
  let account: string;
  let other: string;
  let key: string;
  let limitedKey: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    account = newAccount(test);
    other = newAccount(test);
    for (const one of [account, other]) await authorizeByEvent(test, one);
    ({ key } = await apiKey(test));
    ({ key: limitedKey } = await apiKey(test, { authorizerAppIds: [account] }));
  });
  afterAll(() => test?.close());
  beforeEach(() => {
    test.simulator.removeFaults();
    test.simulator.clearCalls();
  });

  const componentToken = (secret: string, ticket: unknown = 'any'): Promise<Answer> =>
    sdkCall(test, 'cgi-bin/component/api_component_token', {
      component_appid: PLATFORM,
      component_appsecret: secret,
      component_verify_ticket: ticket,
    });
  const ask = async (
    name: string,
    body: object,
    { secret = key, parameter = 'component_access_token' } = {},
  ): Promise<Answer> => {
    const token = (await componentToken(secret)).json.component_access_token as string;
    return sdkCall(test, `cgi-bin/component/${name}?${parameter}=${token}`, {
      component_appid: PLATFORM,
      ...body,
    });
  };
  const works = async (token: string): Promise<unknown> =>
    (await sdkCall(test, `${SEND}?access_token=${token}`, MESSAGE)).json.errcode;

  it.each(['any', '', null, undefined])(
    'gets a component token whatever ticket it sends (%s), and WeChat is not asked',
    async (ticket) => {
      const { json } = await componentToken(key, ticket);
      expect(json).toEqual({ component_access_token: STAND_IN, expires_in: 7200 });
      expect(calls(test, EXCHANGE)).toBe(0);
    },
  );

  it.each(['component_access_token', 'access_token'])(
    'gets a code for the authorization page with it, sent as %s',
    async (parameter) => {
      const { json } = await ask('api_create_preauthcode', {}, { parameter });
      expect(json.pre_auth_code).toMatch(/^preauthcode@@@/);
    },
  );

  it('gets tokens of an account, which work, with the same refresh token each time', async () => {
    const body = { authorizer_appid: account, authorizer_refresh_token: 'none' };
    const first = (await ask('api_authorizer_token', body)).json;
    expect(first).toEqual({
      authorizer_access_token: STAND_IN,
      expires_in: 7200,
      authorizer_refresh_token: STAND_IN,
    });
    expect(await works(first.authorizer_access_token)).toBe(0);
    const second = (await ask('api_authorizer_token', { authorizer_appid: account })).json;
    expect(second.authorizer_refresh_token).toBe(first.authorizer_refresh_token);
    const info = (await ask('api_get_authorizer_info', { authorizer_appid: account })).json;
    expect(info.authorizer_info).toHaveProperty('user_name');
    expect(info.authorization_info.authorizer_refresh_token).toBe(first.authorizer_refresh_token);
    const { list, total_count } = (await ask('api_get_authorizer_list', { offset: 0, count: 100 }))
      .json;
    expect([total_count, list.length]).toEqual([2, 2]);
    expect(list).toContainEqual({
      authorizer_appid: account,
      refresh_token: first.authorizer_refresh_token,
      auth_time: expect.any(Number),
    });
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(0);
    expect(await works(first.authorizer_refresh_token)).toBe(40001);
  });

  it('exchanges a code that the hub has exchanged before, for as long as it would live', async () => {
    const late = newAccount(test);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, late, { push: true });
    const body = { authorization_code: code };
    for (let round = 0; round < 3; round += 1) {
      const { authorization_info: info } = (await ask('api_query_auth', body)).json;
      expect(info).toMatchObject({
        authorizer_appid: late,
        expires_in: 7200,
        authorizer_refresh_token: STAND_IN,
        func_info: expect.arrayContaining([{ funcscope_category: { id: expect.any(Number) } }]),
      });
      expect(await works(info.authorizer_access_token)).toBe(0);
    }
    expect(calls(test, QUERY_AUTH)).toBe(1);
    test.clock.advance(HOUR + 1000);
    await prime(test);
    expect((await ask('api_query_auth', body)).json.errcode).toBe(61010);
    expect((await ask('api_query_auth', { authorization_code: 'made-up' })).json.errcode).toBe(
      61010,
    );
  });

  it('exchanges a code that the hub has not seen, and the hub keeps the account', async () => {
    const fresh = newAccount(test);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, fresh);
    const { json } = await ask('api_query_auth', { authorization_code: code });
    expect(await works(json.authorization_info.authorizer_access_token)).toBe(0);
    expect((await test.hub.get(`/api/authorizers/${fresh}/access-token`)).status).toBe(200);
  });

  it('asks for tickets and reads options', async () => {
    const push = await sdkCall(test, 'cgi-bin/component/api_start_push_ticket', {
      component_appid: PLATFORM,
      component_secret: key,
    });
    expect(push.json).toEqual({ errcode: 0, errmsg: expect.any(String) });
    const option = { authorizer_appid: account, option_name: 'location_report' };
    expect((await ask('api_get_authorizer_option', option)).json).toMatchObject(option);
  });

  const START_PUSH = 'cgi-bin/component/api_start_push_ticket';
  it.each<[string, number, (own: string) => object]>([
    ['limited to accounts', 48001, (own) => ({ authorizerAppIds: [own] })],
    ['limited to other paths', 48001, () => ({ paths: [`/${SEND}`] })],
    ['limited to this path', 0, () => ({ paths: [`/${START_PUSH}`] })],
  ])('that asks for tickets with a key %s is answered %i', async (_, errcode, limits) => {
    test.clock.advance(61_000);
    const { key: secret } = await apiKey(test, limits(account));
    const body = { component_appid: PLATFORM, component_secret: secret };
    expect((await sdkCall(test, START_PUSH, body)).json.errcode).toBe(errcode);
    expect(calls(test, `/${START_PUSH}`)).toBe(errcode === 0 ? 1 : 0);
  });

  describe('with a key limited to an account', () => {
    const limited = (name: string, body: object): Promise<Answer> =>
      ask(name, body, { secret: limitedKey });

    it('gets what is of that account', async () => {
      const { json } = await limited('api_authorizer_token', { authorizer_appid: account });
      expect(await works(json.authorizer_access_token)).toBe(0);
      const { list, total_count } = (await limited('api_get_authorizer_list', {})).json;
      expect([total_count, list]).toEqual([
        1,
        [{ authorizer_appid: account, refresh_token: STAND_IN, auth_time: expect.any(Number) }],
      ]);
      const option = { authorizer_appid: account, option_name: 'location_report' };
      expect((await limited('api_get_authorizer_option', option)).json).toMatchObject(option);
    });

    it.each([
      'api_authorizer_token',
      'api_get_authorizer_info',
      'api_get_authorizer_option',
      'api_set_authorizer_option',
    ])('is refused what %s has of others by 61003', async (name) => {
      const body = { authorizer_appid: other, option_name: 'location_report', option_value: '0' };
      const { status, json } = await limited(name, body);
      expect([status, json.errcode]).toEqual([200, 61003]);
    });

    it('is refused what it names beside its own account', async () => {
      const token = (await componentToken(limitedKey)).json.component_access_token as string;
      const path = `cgi-bin/component/api_get_authorizer_option?component_access_token=${token}`;
      const body =
        `{"component_appid":"${PLATFORM}","option_name":"location_report",` +
        `"authorizer_appid":"${other}","authorizer_appid":"${account}"}`;
      const twice = await sdkCall(test, path, undefined, { method: 'POST', body });
      expect(twice.json.errcode).toBe(47001);
      const beside = { authorizer_appid: account };
      expect((await limited('api_create_preauthcode', beside)).json.errcode).toBe(48001);
    });

    it('is refused by 61003 a code of another account, and by 48001 what is of all', async () => {
      const fresh = newAccount(test);
      const { code } = await test.simulator.accounts.authorize(PLATFORM, fresh);
      expect((await limited('api_query_auth', { authorization_code: code })).json.errcode).toBe(
        61003,
      );
      expect((await limited('api_create_preauthcode', {})).json.errcode).toBe(48001);
    });
  });

  it.each<[string, number, () => Promise<Answer>]>([
    ['a wrong key', 40125, () => componentToken('wrong')],
    [
      'another platform',
      40013,
      () =>
        sdkCall(test, 'cgi-bin/component/api_component_token', {
          component_appid: 'wx0000000000000000',
          component_appsecret: key,
        }),
    ],
    ['a token that is missing', 41001, () => sdkCall(test, 'cgi-bin/component/api_query_auth', {})],
    [
      'the body of another platform',
      40013,
      () => ask('api_query_auth', { component_appid: 'wx1' }),
    ],
    ['an unknown account', 40013, () => ask('api_authorizer_token', { authorizer_appid: 'wx1' })],
    ['a path that ends credentials', 48001, () => ask('clear_quota', {})],
  ])('is answered %s by %i', async (_, code, call) => {
    const { status, json } = await call();
    expect([status, json.errcode]).toEqual([200, code]);
  });

  it('is answered an account’s token at a path of the platform’s by 61014', async () => {
    const { json } = await ask('api_authorizer_token', { authorizer_appid: account });
    const answer = await sdkCall(
      test,
      `cgi-bin/component/api_authorizer_token?access_token=${json.authorizer_access_token}`,
      { authorizer_appid: account },
    );
    expect(answer.json.errcode).toBe(61014);
  });
});

describe('with GATEWAY_TOKENS=real', () => {
  let test: TestApp;
  let account: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: 'sqlite', env: { GATEWAY_TOKENS: 'real' } });
    account = newAccount(test);
    await authorizeByEvent(test, account);
  });
  afterAll(() => test?.close());

  const token = async (scopes: string[]): Promise<any> => {
    const { key } = await apiKey(test, { scopes });
    return (await sdkCall(test, `cgi-bin/token?appid=${account}&secret=${key}`)).json;
  };

  it('an account’s SDK gets the real token and its true life, for a key that may read it', async () => {
    const { json } = await test.hub.get(`/api/authorizers/${account}/access-token`);
    expect(await token(['token:read'])).toEqual({
      access_token: json.authorizer_access_token,
      expires_in: json.expires_in,
    });
    expect((await token(['proxy'])).errcode).toBe(48001);
  });

  it('near its end it gets a new one', async () => {
    const before = await token(['token:read']);
    test.clock.advance(1.6 * HOUR);
    await prime(test);
    const after = await token(['token:read']);
    expect(after.access_token).not.toBe(before.access_token);
    expect(after.expires_in).toBeGreaterThan(7000);
  });
});
