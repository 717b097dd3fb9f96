import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  calls,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { MINUTE, prime, secondHub } from '../support/token-world.js';
import { accountToken, apiKey, sdkCall } from '../support/wx-world.js';

const GETTICKET = '/cgi-bin/ticket/getticket';

describe.each(databaseKinds())('pages and mini programs of an account on %s', (kind) => {
  let test: TestApp;
  let account: string;
  let key: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    account = newAccount(test);
    await authorizeByEvent(test, account);
    ({ key } = await apiKey(test));
  });
  afterAll(() => test?.close());
  beforeEach(() => {
    test.simulator.removeFaults();
    test.simulator.clearCalls();
  });

  const get = async (path: string): Promise<any> => (await sdkCall(test, path)).json;

  describe('have a JS ticket', () => {
    const getticket = async (hub = test, type = 'jsapi'): Promise<any> => {
      const token = await accountToken(test, account, key);
      const path = `cgi-bin/ticket/getticket?access_token=${token}&type=${type}`;
      return (await sdkCall(hub, path)).json;
    };

    it('that WeChat gives once for all who ask, on all hosts', async () => {
      const other = await secondHub(test);
      try {
        const asked = Array.from({ length: 10 }, (_, at) => getticket(at % 2 ? test : other));
        const tickets = await Promise.all(asked);
        const ticket = test.simulator.web.ticketOf(account);
        for (const one of tickets) {
          expect(one).toEqual({ errcode: 0, errmsg: 'ok', ticket, expires_in: 7200 });
        }
        const { json } = await test.hub.get(`/api/authorizers/${account}/jsapi-ticket`);
        expect(json).toEqual({ ticket, expires_in: 7200 });
        expect(calls(test, GETTICKET)).toBe(1);
      } finally {
        await other.close();
      }
    });

    it('of its own for cards', async () => {
      const { ticket } = await getticket(test, 'wx_card');
      expect(ticket).toBe(test.simulator.web.ticketOf(account, 'wx_card'));
      expect((await getticket(test, 'other')).errcode).toBe(40097);
    });

    it('with its true rest, renewed before 1500 s are left', async () => {
      const { ticket } = await getticket();
      test.clock.advance(60 * MINUTE);
      await prime(test);
      expect(await getticket()).toMatchObject({ ticket, expires_in: 3600 });
      test.clock.advance(34 * MINUTE);
      await prime(test);
      const renewed = await getticket();
      expect(renewed.ticket).not.toBe(ticket);
      expect(renewed.expires_in).toBe(7200);
    });

    it('with which pages are signed', async () => {
      const path = `/api/authorizers/${account}/jssdk-signature`;
      const { status, json } = await test.hub.post(path, {
        url: 'https://shop.example.com/a?b=1#c',
      });
      const text =
        `jsapi_ticket=${test.simulator.web.ticketOf(account)}&noncestr=${json.nonceStr}` +
        `&timestamp=${json.timestamp}&url=https://shop.example.com/a?b=1`;
      expect([status, json]).toEqual([
        200,
        {
          appId: account,
          timestamp: Math.floor(test.clock.now() / 1000),
          nonceStr: expect.stringMatching(/^\w{8,}$/),
          signature: createHash('sha1').update(text).digest('hex'),
          url: 'https://shop.example.com/a?b=1',
        },
      ]);
      expect((await test.hub.post(path, { url: 'javascript:1' })).status).toBe(400);
    });

    it('no longer once the account has withdrawn', async () => {
      const gone = newAccount(test);
      await authorizeByEvent(test, gone);
      const path = `/api/authorizers/${gone}/jsapi-ticket`;
      expect((await test.hub.get(path)).status).toBe(200);
      await test.simulator.accounts.withdraw(PLATFORM, gone, { push: true });
      expect((await test.hub.get(path)).status).toBe(410);
    });
  });

  it('log users in by their code', async () => {
    const code = test.simulator.web.issueCode(account, 'fake_openid');
    const path = `sns/jscode2session?appid=${account}&secret=${key}&grant_type=authorization_code`;
    expect(await get(`${path}&js_code=${code}`)).toMatchObject({
      openid: 'fake_openid',
      session_key: expect.any(String),
    });
    expect(await get(`${path}&js_code=${code}`)).toMatchObject({ errcode: 40163 });
    expect(await get(path.replace(key, 'wrong'))).toMatchObject({ errcode: 40125 });
  });

  it('log users in by the platform’s token, for accounts of the key alone', async () => {
    const { key: limited } = await apiKey(test, { authorizerAppIds: [account] });
    const { json } = await sdkCall(test, 'cgi-bin/component/api_component_token', {
      component_appid: PLATFORM,
      component_appsecret: limited,
    });
    const ask = (appid: string, code: string): Promise<any> =>
      get(
        `sns/component/jscode2session?appid=${appid}&js_code=${code}&grant_type=authorization_code` +
          `&component_appid=${PLATFORM}&component_access_token=${json.component_access_token}`,
      );
    const code = test.simulator.web.issueCode(account, 'fake_openid');
    expect(await ask('wx0000000000000000', code)).toMatchObject({ errcode: 61003 });
    expect(await ask(account, code)).toMatchObject({ openid: 'fake_openid' });
  });

  it('know users by tokens that are worth nothing elsewhere', async () => {
    const code = test.simulator.web.issueCode(account, 'fake_openid');
    const answer = await sdkCall(
      test,
      `sns/oauth2/access_token?appid=${account}&secret=${key}&code=${code}&grant_type=authorization_code`,
    );
    const tokens = answer.json;
    expect(tokens).toMatchObject({ openid: 'fake_openid', expires_in: 7200 });
    const user = (token: string): Promise<any> =>
      get(`sns/userinfo?access_token=${token}&openid=fake_openid&lang=zh_CN`);
    expect(await user(tokens.access_token)).toMatchObject({ nickname: 'Fake User' });
    expect(await get(`sns/auth?access_token=${tokens.access_token}&openid=fake_openid`)).toEqual({
      errcode: 0,
      errmsg: 'ok',
    });
    const refresh = (token: string): Promise<any> =>
      get(
        `sns/oauth2/refresh_token?appid=${account}&grant_type=refresh_token&refresh_token=${token}`,
      );
    const renewed = await refresh(tokens.refresh_token);
    expect(await user(renewed.access_token)).toMatchObject({ nickname: 'Fake User' });
    const own = await accountToken(test, account, key);
    for (const [found, errcode] of [
      [await user(own), 40001],
      [await user('x'.repeat(150)), 40001],
      [await user(''), 41001],
      [await refresh(own), 40030],
      [await refresh('x'.repeat(150)), 40001],
    ]) {
      expect(found).toMatchObject({ errcode });
    }
    // Each names its token by a stand-in: WeChat knows none of them.
    for (const token of Object.values({ ...tokens, ...renewed }).filter(
      (one): one is string => typeof one === 'string' && one.length > 100,
    )) {
      const direct = await fetch(
        `${test.simulator.url}/sns/userinfo?access_token=${token}&openid=fake_openid`,
      );
      expect(await direct.json()).toMatchObject({ errcode: 40001 });
    }
  });

  it('send users to WeChat’s page with the platform named', async () => {
    const query = `appid=${account}&redirect_uri=https%3A%2F%2Fa.example.com&response_type=code&scope=snsapi_base&state=1`;
    const answer = await sdkCall(test, `connect/oauth2/authorize?${query}`, undefined, {
      redirect: 'manual',
    });
    expect([answer.status, answer.headers.get('location')]).toEqual([
      302,
      `https://open.weixin.qq.com/connect/oauth2/authorize?${query}&component_appid=${PLATFORM}#wechat_redirect`,
    ]);
  });

  it('send users there without a secret, a token or another platform of the caller’s', async () => {
    const query = `appid=${account}&secret=s1&%73ecret=s2&access_token=s3&component_appid=wx1&Component_AppId=wx2&state=1`;
    const { headers } = await sdkCall(test, `connect/oauth2/authorize?${query}`, undefined, {
      redirect: 'manual',
    });
    expect(headers.get('location')).toBe(
      `https://open.weixin.qq.com/connect/oauth2/authorize?appid=${account}&state=1&component_appid=${PLATFORM}#wechat_redirect`,
    );
  });

  it('send users there whatever account is named, so that nobody learns which there are', async () => {
    const platformOf = async (appid: string): Promise<string | null> => {
      const answer = await sdkCall(test, `connect/oauth2/authorize?appid=${appid}`, undefined, {
        redirect: 'manual',
      });
      const location = new URL(answer.headers.get('location') ?? 'about:blank');
      expect([answer.status, location.searchParams.get('appid')]).toEqual([302, appid]);
      return location.searchParams.get('component_appid');
    };
    const unknown = Array.from({ length: 20 }, (_, at) => `wx${String(at).padStart(16, '0')}`);
    const shown = (): Promise<(string | null)[]> => Promise.all(unknown.map(platformOf));
    expect(new Set(await shown())).toEqual(new Set([PLATFORM]));
    const second = 'wx5555555555555555';
    const { status } = await test.hub.post('/admin/components', {
      componentAppId: second,
      name: 'The second',
      appSecret: 'fake-secret-of-the-second-1',
      token: 'fakeToken2',
      encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
    });
    expect(status).toBe(201);
    const platforms = await shown();
    expect(new Set(platforms)).toEqual(new Set([PLATFORM, second]));
    expect(await shown()).toEqual(platforms);
    expect(await platformOf(account)).toBe(PLATFORM);
  });
});

describe('under a name of GATEWAY_HOSTS', () => {
  let test: TestApp;
  let account: string;
  beforeAll(async () => {
    const env = { GATEWAY_HOSTS: 'wx.hub.internal, api.weixin.qq.com' };
    test = await authorizerHub({ database: 'sqlite', env });
    account = newAccount(test);
    await authorizeByEvent(test, account);
  });
  afterAll(() => test?.close());

  const ask = (path: string, host: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(test.hub.url);
      httpRequest({ hostname, port, path, headers: { host } }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      })
        .on('error', reject)
        .end();
    });

  it.each(['wx.hub.internal', 'API.weixin.qq.com:443', 'wx.hub.internal.', 'wx.hub.internal.:443'])(
    '%s is WeChat’s API',
    async (host) => {
      const { key } = await apiKey(test);
      const { body } = await ask(`/cgi-bin/token?appid=${account}&secret=${key}`, host);
      expect(JSON.parse(body)).toMatchObject({ expires_in: 7200 });
    },
  );

  it.each([
    '/health/live',
    '/admin/components',
    '/metrics',
    '/docs-json',
    '//admin/components',
    '/../admin/components',
    '/%2e%2e/admin/components',
    `/callback/${PLATFORM}/events`,
    'http://wx.hub.internal/health/live',
    'HTTP://WX.hub.internal?/health/live',
  ])('nothing else is there, such as %s', async (path) => {
    const { status, body } = await ask(path, 'wx.hub.internal');
    const { errcode, error } = JSON.parse(body);
    expect([
      [200, 41001],
      [200, 40066],
      [404, 'not_found'],
    ]).toContainEqual([status, errcode ?? error.code]);
  });

  it.each([
    'a@wx.hub.internal',
    '[wx.hub.internal]',
    'wx.hub.internal..',
    'wx%2ehub.internal',
    'wx.hub.internal,hub.internal',
    'wx.hub.internal/',
  ])('%s is no name, and refused', async (host) => {
    const { status, body } = await ask('/health/live', host);
    expect([status, JSON.parse(body).error?.code]).toEqual([400, 'bad_request']);
  });

  it('is WeChat’s API by a request line that names the host, too', async () => {
    const { key } = await apiKey(test);
    const line = `http://wx.hub.internal/cgi-bin/token?appid=${account}&secret=${key}`;
    const { body } = await ask(line, 'wx.hub.internal');
    expect(JSON.parse(body)).toMatchObject({ expires_in: 7200 });
  });

  it.each([
    ['http://wx.hub.internal/health/live', 'hub.internal'],
    ['http://hub.internal/health/live', 'wx.hub.internal'],
    ['https://hub.internal/health/live', 'hub.internal:443'],
    ['http://a@wx.hub.internal/health/live', 'wx.hub.internal'],
    ['http:///health/live', 'hub.internal'],
  ])('a request line %s beside the Host %s is refused', async (line, host) => {
    const { status, body } = await ask(line, host);
    expect([status, JSON.parse(body).error?.code]).toEqual([400, 'bad_request']);
  });

  it('another name in the request line is the hub as ever', async () => {
    const { status } = await ask('http://hub.internal:3000/health/live', 'HUB.internal:3000');
    expect(status).toBe(200);
  });

  it.each(['hub.internal', 'hub_1:3000', '127.0.0.1:3000', '[::1]:3000', '[::1]'])(
    'another name, such as %s, is the hub as ever',
    async (host) => {
      expect((await ask('/health/live', host)).status).toBe(200);
    },
  );
});
