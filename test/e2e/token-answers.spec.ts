import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { detailOf, infoTick } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const TOKEN = { component_access_token: 'fake-token-with-an-odd-errcode', expires_in: 7200 };

describe.each(databaseKinds())('an answer of WeChat to a hub on %s', (kind) => {
  let test: TestApp;
  let wechat: Server;
  let answer: unknown;
  /** Answers as they are sent, by the end of the path. */
  const texts: Record<string, string> = {};
  beforeAll(async () => {
    wechat = createServer(({ url = '' }, response) => {
      const name = /(\w+)(?:\?|$)/.exec(url)?.[1] ?? '';
      response.end(texts[name] ?? JSON.stringify(answer));
    });
    await once(wechat.listen(0, '127.0.0.1'), 'listening');
    const { port } = wechat.address() as AddressInfo;
    const env = { WECHAT_API_BASE_URL: `http://127.0.0.1:${port}` };
    test = await createTestApp({ database: kind, env });
    answer = { errcode: 61004, errmsg: 'not yet' };
    await test.hub.push(test.simulator.buildTicketPush(appid));
  });
  afterAll(async () => {
    await test.close();
    wechat.close();
  });

  const refresh = () => {
    // A manual refresh is made once in 10 s.
    test.clock.advance(10_000);
    return test.hub.post(`/admin/tokens/${appid}/refresh`);
  };

  it.each([['abc'], [''], ['4e4'], ['0x9c41'], [40001.5], [true], [[40001]], [{}], [false]])(
    'with the errcode %j is garbage',
    async (errcode) => {
      answer = { errcode, errmsg: 'odd', ...TOKEN };
      const { status, json } = await refresh();
      expect([status, json.error.kind]).toEqual([502, 'garbage']);
      expect(json.error).not.toHaveProperty('errcode');
      expect((await test.hub.token()).json.lastError).toMatchObject({ kind: 'garbage' });
    },
  );

  it.each([[61004], ['61004'], [-1], ['-1']])(
    'with the errcode %j is a refusal',
    async (errcode) => {
      answer = { errcode, errmsg: 'odd', ...TOKEN };
      const { json } = await refresh();
      expect(json.error).toMatchObject({ errcode: Number(errcode) });
    },
  );

  it.each([[0], ['0'], [null], [undefined]])('with the errcode %j is taken', async (errcode) => {
    answer = { errcode, ...TOKEN };
    expect((await refresh()).status).toBe(200);
  });

  it('with control characters, a byte order mark or a name twice is read as it is meant', async () => {
    answer = undefined;
    for (const text of [
      `{"component_access_token":"${TOKEN.component_access_token}","expires_in":7200,"x":"a\n\u0001"}`,
      `\uFEFF${JSON.stringify(TOKEN)}`,
      `{"expires_in":"soon",${JSON.stringify(TOKEN).slice(1)}`,
    ]) {
      texts.api_component_token = text;
      expect((await refresh()).status).toBe(200);
    }
    delete texts.api_component_token;
  });

  it('about an account keeps what its users typed, and the digits of its numbers', async () => {
    answer = TOKEN;
    await refresh();
    const account = 'wxacc0unt0w1th0dd';
    const info = `"authorization_info":{"authorizer_appid":"${account}","authorizer_access_token":"fake-account-token","expires_in":7200,"authorizer_refresh_token":"refreshtoken@@@fake"}`;
    texts.api_query_auth = `{${info}}`;
    texts.api_get_authorizer_info = `{"authorizer_info":{"nick_name":"Line one\n\tand \u0007 two","principal_name":"A","uin":12345678901234567890},${info}}`;
    const event = test.simulator.accounts.buildEvent(appid, 'authorized', {
      AuthorizerAppid: account,
      AuthorizationCode: `queryauthcode@@@fake-${kind}`,
      AuthorizationCodeExpiredTime: String(Math.floor(test.clock.now() / 1000) + 600),
      PreAuthCode: 'fake-pre-auth-code',
    });
    expect((await test.hub.push(event)).text).toBe('success');
    const view = await eventually('the information', async () => {
      await infoTick(test);
      const detail = await detailOf(test, account);
      return detail.info ? detail : undefined;
    });
    expect(view).toMatchObject({
      nickName: 'Line one\n\tand \u0007 two',
      info: { uin: '12345678901234567890' },
    });
  });
});
