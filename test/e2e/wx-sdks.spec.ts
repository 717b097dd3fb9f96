import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  calls,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import {
  errcodeMet,
  expectFewCalls,
  HubAnswers,
  SDK_REFUSALS,
  type SdkSetup,
} from '../support/sdk-refusals.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { EXCHANGE, HOUR, prime } from '../support/token-world.js';
import { apiKey } from '../support/wx-world.js';

// As a program in JavaScript has them: without the types, which are no matter here.
const load = createRequire(import.meta.url);
const CoWechatApi = load('co-wechat-api');
const { OfficialAccount, OpenPlatform } = load('node-easywechat');

/** What node-easywechat keeps its tokens in. */
class MemoryCache {
  private readonly values = new Map<string, unknown>();

  async get(key: string): Promise<unknown> {
    return this.values.get(key);
  }

  async set(key: string, value: unknown): Promise<boolean> {
    this.values.set(key, value);
    return true;
  }

  async has(key: string): Promise<boolean> {
    return this.values.has(key);
  }

  async delete(key: string): Promise<boolean> {
    return this.values.delete(key);
  }
}

describe('SDKs as they are, at the drop-in address', () => {
  let test: TestApp;
  let account: string;
  let key: string;
  let answers: HubAnswers;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    answers = new HubAnswers(test);
    await prime(test);
    account = newAccount(test);
    await authorizeByEvent(test, account);
    ({ key } = await apiKey(test));
  });
  afterAll(() => test?.close());

  const base = (): string => `${test.hub.url}/wx/`;
  const coWechat = (secret = key, appid = account): any => {
    const api = new CoWechatApi(appid, secret);
    api.prefix = `${base()}cgi-bin/`;
    return api;
  };
  const easyWechat = (secret = key, appid = account): any => {
    const http = { baseURL: base() };
    const app = new OfficialAccount({ app_id: appid, secret, token: 'x', aes_key: 'x', http });
    app.setCache(new MemoryCache());
    return app;
  };
  const openPlatform = async (secret = key): Promise<any> => {
    const http = { baseURL: base() };
    const app = new OpenPlatform({ app_id: PLATFORM, secret, token: 'x', aes_key: 'x', http });
    app.setCache(new MemoryCache());
    await app.getVerifyTicket().setTicket('any');
    return app;
  };
  const sent = (): unknown[] =>
    test.simulator.customMessages.last().map(({ touser, body }) => [touser, body.text]);
  const message = (content: string): object => ({
    json: { touser: 'fake_openid', msgtype: 'text', text: { content } },
  });

  const sendNever = async (app: any): Promise<unknown> => {
    const path = 'cgi-bin/message/custom/send';
    return (await app.getClient().post(path, message('never'))).toObject().errcode;
  };

  it('co-wechat-api sends a message, and moves a file up and down', async () => {
    const api = coWechat();
    await api.sendText('fake_openid', 'by co-wechat-api');
    expect(sent()).toContainEqual(['fake_openid', { content: 'by co-wechat-api' }]);
    const file = randomBytes(100_000);
    const { media_id } = await api.uploadMedia(file, 'image', 'a.png', 'image/png');
    const got = await api.getMedia(media_id);
    expect(Buffer.from(got).equals(file)).toBe(true);
    expect(await api.getTicket()).toMatchObject({
      ticket: test.simulator.web.ticketOf(account),
    });
  });

  it('node-easywechat sends a message of an account', async () => {
    const client = easyWechat().getClient();
    const answer = await client.post('cgi-bin/message/custom/send', message('by easywechat'));
    expect(answer.toObject()).toMatchObject({ errcode: 0 });
    expect(sent()).toContainEqual(['fake_openid', { content: 'by easywechat' }]);
  });

  it('node-easywechat is a platform: pre-auth code, code, and a message of the account', async () => {
    const app = await openPlatform();
    expect((await app.createPreAuthorizationCode()).pre_auth_code).toMatch(/^preauthcode@@@/);
    const late = newAccount(test);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, late, { push: true });
    const authorization = await app.getAuthorization(code);
    const official = await app.getOfficialAccountWithRefreshToken(
      late,
      authorization.getRefreshToken(),
    );
    const client = official.getClient();
    const answer = await client.post('cgi-bin/message/custom/send', message('by a platform'));
    expect(answer.toObject()).toMatchObject({ errcode: 0 });
    expect(sent()).toContainEqual(['fake_openid', { content: 'by a platform' }]);
  });

  it('had WeChat asked once for the token of the platform, and once for each account', () => {
    expect(calls(test, EXCHANGE)).toBe(1);
    expect(calls(test, QUERY_AUTH) + calls(test, AUTHORIZER_TOKEN)).toBe(2);
  });

  describe.each<[string, 'account' | 'platform', (setup: SdkSetup) => Promise<unknown>]>([
    [
      'co-wechat-api',
      'account',
      async ({ appid, key: secret, token }) => {
        const api = coWechat(secret, appid);
        if (token) await api.saveToken({ accessToken: token, expireTime: Date.now() + HOUR });
        return (await api.sendText('fake_openid', 'never')).errcode;
      },
    ],
    [
      'node-easywechat',
      'account',
      async ({ appid, key: secret, token }) => {
        const app = easyWechat(secret, appid);
        if (token) await app.getCache().set(app.getAccessToken().getKey(), token);
        return sendNever(app);
      },
    ],
    [
      'node-easywechat',
      'platform',
      async ({ appid, key: secret, token, componentToken }) => {
        const app = await openPlatform(secret);
        const componentKey = app.getComponentAccessToken().getKey();
        if (componentToken) await app.getCache().set(componentKey, componentToken);
        return sendNever(
          token
            ? app.getOfficialAccountWithAccessToken(appid, token)
            : await app.getOfficialAccountWithRefreshToken(appid, 'any'),
        );
      },
    ],
  ])('%s as %s stops after a few calls', (_, as, send) => {
    const refusals = SDK_REFUSALS.filter((one) => errcodeMet(one, as) !== undefined);
    it.each(refusals)('that meet $what', (refusal) =>
      expectFewCalls({ test, answers, key }, refusal, as, (setup) =>
        send(setup).catch((error: Error) => error.message),
      ),
    );
  });
});
