import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import type { TestApp } from '../support/test-app.js';
import { EXCHANGE } from '../support/token-world.js';
import { apiKey } from '../support/wx-world.js';

// As a program in JavaScript has them: without the types, which are no matter here.
const load = createRequire(import.meta.url);
const CoWechatApi = load('co-wechat-api');
const { OfficialAccount, OpenPlatform } = load('node-easywechat');

/** Calls of an SDK after one answer of the hub: what does not end would reach any number. */
const FEW = 5;

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
  let requests = 0;
  beforeAll(async () => {
    test = await authorizerHub({ database: 'sqlite' });
    account = newAccount(test);
    await authorizeByEvent(test, account);
    ({ key } = await apiKey(test));
    test.app.getHttpServer().prependListener('request', () => (requests += 1));
    test.simulator.clearCalls();
  });
  afterAll(() => test?.close());

  const base = (): string => `${test.hub.url}/wx/`;
  const coWechat = (secret = key): any => {
    const api = new CoWechatApi(account, secret);
    api.prefix = `${base()}cgi-bin/`;
    return api;
  };
  const easyWechat = (secret = key): any => {
    const http = { baseURL: base() };
    const app = new OfficialAccount({ app_id: account, secret, token: 'x', aes_key: 'x', http });
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

  it('had WeChat asked for no token of the platform', () => {
    expect(test.simulator.callSummary().paths[EXCHANGE]?.arrived ?? 0).toBe(0);
  });

  describe('stop after a few calls', () => {
    const limited = async (values: object): Promise<string> => (await apiKey(test, values)).key;
    const revoked = async (): Promise<string> => {
      const made = await apiKey(test);
      await test.hub.request('DELETE', `/admin/api-keys/${made.id}`);
      return made.key;
    };
    it.each<[string, () => Promise<string>]>([
      ['a wrong key', async () => 'wrong'],
      ['a revoked key', revoked],
      ['a key of another account', () => limited({ authorizerAppIds: ['wx0000000000000000'] })],
      ['a key without the scope', () => limited({ scopes: ['token:read'] })],
      ['a key for another path', () => limited({ paths: ['/cgi-bin/menu/'] })],
      ['a key that has spent its minute', () => limited({ requestsPerMinute: 1 })],
    ])('of which %s is answered', async (_, secretOf) => {
      const secret = await secretOf();
      for (const call of [
        () => coWechat(secret).sendText('fake_openid', 'never'),
        () => easyWechat(secret).getClient().post('cgi-bin/message/custom/send', message('never')),
      ]) {
        requests = 0;
        const outcome = await call().then(
          (answer: any) => answer.toObject().errcode as number,
          () => 'thrown',
        );
        expect(outcome).not.toBe(0);
        expect(requests).toBeLessThan(FEW);
      }
    });
  });
});
