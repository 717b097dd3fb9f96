import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  authorizeByEvent,
  AUTHORIZER_TOKEN,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { authorizerHub } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';
import { calls, issued } from '../support/token-world.js';

const SEND = '/cgi-bin/message/custom/send';
const MESSAGE = { touser: 'fake_openid', msgtype: 'text', text: { content: 'hello' } };

interface Answered {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  json: any;
}

/** A request that goes out just as it is written. */
function raw(
  url: string,
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
    bearer = ADMIN_TOKEN,
  }: {
    method?: string;
    headers?: Record<string, string>;
    body?: string | Buffer;
    bearer?: string;
  } = {},
): Promise<Answered> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { hostname, port, path, method, headers: { authorization: `Bearer ${bearer}`, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: whole,
            get json() {
              return JSON.parse(whole.toString('utf8'));
            },
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe.each(databaseKinds())('a call by the proxy on %s', (kind) => {
  let test: TestApp;
  let account: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    account = newAccount(test);
    await authorizeByEvent(test, account);
  });
  afterAll(() => test?.close());
  beforeEach(() => {
    test.simulator.removeFaults();
    test.simulator.clearCalls();
  });

  const send = (path = SEND, more: Parameters<typeof raw>[2] = {}): Promise<Answered> =>
    raw(test.hub.url, `/proxy/authorizers/${account}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(MESSAGE),
      ...more,
    });

  it('reaches WeChat with the account’s token, and its answer comes back', async () => {
    const { status, json, headers } = await send();
    expect({ status, json }).toEqual({ status: 200, json: { errcode: 0, errmsg: 'ok' } });
    expect(headers).toMatchObject({
      'content-type': 'application/json; encoding=utf-8',
      'x-hub-attempts': '1',
      'x-hub-token-refreshed': 'false',
      'cache-control': 'no-store',
      'x-request-id': expect.stringMatching(/^[\w-]{36}$/),
    });
    expect(test.simulator.customMessages.last()).toContainEqual(
      expect.objectContaining({ account, touser: 'fake_openid' }),
    );
  });

  it('reaches WeChat with the platform’s token for paths of the platform', async () => {
    const own = await raw(test.hub.url, `/proxy/components/${PLATFORM}/cgi-bin/get_api_domain_ip`);
    expect(own.json).toHaveProperty('ip_list');
    const body = JSON.stringify({
      component_appid: PLATFORM,
      authorizer_appid: account,
      option_name: 'location_report',
    });
    const option = await raw(
      test.hub.url,
      `/proxy/components/${PLATFORM}/cgi-bin/component/api_get_authorizer_option`,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body },
    );
    expect(option.json).toMatchObject({ option_name: 'location_report' });
  });

  it('uploads a file and downloads the same bytes', async () => {
    const file = randomBytes(300_000);
    const form = new FormData();
    form.set('media', new Blob([file], { type: 'image/png' }), 'a.png');
    const encoded = new Response(form);
    const upload = await send('/cgi-bin/media/upload?type=image', {
      headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
      body: Buffer.from(await encoded.arrayBuffer()),
    });
    expect(upload.json).toMatchObject({ type: 'image' });
    const download = await raw(
      test.hub.url,
      `/proxy/authorizers/${account}/cgi-bin/media/get?media_id=${upload.json.media_id}`,
    );
    expect(download.headers).toMatchObject({
      'content-type': 'image/png',
      'content-disposition': 'attachment; filename="a.png"',
      'content-length': String(file.length),
    });
    expect(download.body.equals(file)).toBe(true);
  });

  it('costs one refresh and no failure where WeChat has killed the token of 200 at once', async () => {
    test.simulator.accounts.expireTokens(PLATFORM, { account, errcode: 40001 });
    const answers = await Promise.all(Array.from({ length: 200 }, () => send()));
    expect(answers.map(({ json }) => json.errcode)).toEqual(Array(200).fill(0));
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(1);
    expect(answers.some(({ headers }) => headers['x-hub-token-refreshed'] === 'true')).toBe(true);
  });

  it.each([
    ['GET', 2],
    ['POST', 1],
  ])('by %s is made %i times where WeChat is too busy at first', async (method, times) => {
    test.simulator.addFault({ path: '/cgi-bin/media/get', kind: 'errcode', errcode: -1, times: 1 });
    const { headers } = await raw(
      test.hub.url,
      `/proxy/authorizers/${account}/cgi-bin/media/get?media_id=x`,
      { method },
    );
    expect(headers['x-hub-attempts']).toBe(String(times));
    expect(calls(test, '/cgi-bin/media/get')).toBe(times);
  });

  it('keeps other errcodes as they are', async () => {
    const { status, json } = await send(SEND, { body: JSON.stringify({ ...MESSAGE, touser: '' }) });
    expect({ status, errcode: json.errcode }).toEqual({ status: 200, errcode: 40003 });
  });

  it.each([
    [45009, 3600],
    [45011, 60],
  ])('is refused without asking WeChat after errcode %i', async (errcode, longest) => {
    const path = `/cgi-bin/fake_quota_${errcode}`;
    test.simulator.addFault({ path, kind: 'errcode', errcode });
    expect((await send(path)).json.errcode).toBe(errcode);
    const { status, headers, json } = await send(path);
    expect({ status, code: json.error.code }).toEqual({ status: 429, code: 'wechat_quota_spent' });
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(headers['retry-after'])).toBeLessThanOrEqual(longest);
    expect(calls(test, path)).toBe(1);
    expect((await send()).json.errcode).toBe(0);
    test.clock.advance(longest * 1000);
    await send(path);
    expect(calls(test, path)).toBe(2);
  });

  it('is abandoned at WeChat when its caller goes away', async () => {
    test.simulator.addFault({ path: SEND, kind: 'hang' });
    const gone = new AbortController();
    const asked = fetch(`${test.hub.url}/proxy/authorizers/${account}${SEND}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(MESSAGE),
      signal: gone.signal,
    }).catch((error: Error) => error.name);
    await test.simulator.waitForCall(SEND);
    gone.abort();
    expect(await asked).toBe('AbortError');
    await eventually('the held call to be cut', () =>
      test.simulator.release(SEND) === 0 ? true : undefined,
    );
  });

  it.each<[string, string, number, string]>([
    ['an unknown account', '/proxy/authorizers/wxnobody/cgi-bin/x', 404, 'authorizer_unknown'],
    ['an unknown platform', '/proxy/components/wxnobody/cgi-bin/x', 404, 'component_unknown'],
    ['no path', '/proxy/authorizers/ACCOUNT/', 404, 'not_found'],
    ['dots', '/proxy/authorizers/ACCOUNT/cgi-bin/../x', 400, 'bad_wechat_path'],
    ['an escaped dot', '/proxy/authorizers/ACCOUNT/cgi-bin/%2e%2e/x', 400, 'bad_wechat_path'],
    ['an escaped slash', '/proxy/authorizers/ACCOUNT/cgi-bin%2fx', 400, 'bad_wechat_path'],
    ['two slashes', '/proxy/authorizers/ACCOUNT//cgi-bin/x', 400, 'bad_wechat_path'],
    ['a user', '/proxy/authorizers/ACCOUNT/@evil.example.com/x', 400, 'bad_wechat_path'],
    ['a host', '/proxy/authorizers/ACCOUNT/http://evil.example.com/x', 400, 'bad_wechat_path'],
    ['a line end', '/proxy/authorizers/ACCOUNT/cgi-bin%0d%0ax', 400, 'bad_wechat_path'],
    ['a token', '/proxy/authorizers/ACCOUNT/cgi-bin/x?access_token=1', 400, 'token_in_query'],
    [
      'an escaped token',
      '/proxy/authorizers/ACCOUNT/cgi-bin/x?a=1&%61ccess_token=1',
      400,
      'token_in_query',
    ],
    [
      'a platform’s token',
      '/proxy/components/PLATFORM/cgi-bin/x?Component_Access_Token=',
      400,
      'token_in_query',
    ],
    ['a query that is none', '/proxy/authorizers/ACCOUNT/cgi-bin/x?a=%zz', 400, 'bad_query'],
    [
      'a path of the platform',
      '/proxy/authorizers/ACCOUNT/cgi-bin/component/x',
      400,
      'wrong_owner',
    ],
    [
      'a call that gives tokens',
      '/proxy/components/PLATFORM/cgi-bin/component/api_authorizer_token',
      403,
      'kept_by_hub',
    ],
  ])('with %s is refused, and nothing is sent', async (_, path, status, code) => {
    const named = path.replace('ACCOUNT', account).replace('PLATFORM', PLATFORM);
    const answer = await raw(test.hub.url, named);
    expect({ status: answer.status, code: answer.json.error.code }).toEqual({ status, code });
    expect(test.simulator.callSummary().total).toBe(0);
  });

  it('of a body over the limit is 413, whether its length is said or not', async () => {
    const body = Buffer.alloc(1024 * 1024 + 1);
    const small = await authorizerHub({ database: kind, env: { GATEWAY_BODY_LIMIT_MB: '1' } });
    const one = newAccount(small);
    await authorizeByEvent(small, one);
    const url = `/proxy/authorizers/${one}${SEND}`;
    const said = await raw(small.hub.url, url, { method: 'POST', body });
    expect({ status: said.status, code: said.json.error.code }).toEqual({
      status: 413,
      code: 'body_too_large',
    });
    const unsaid = await raw(small.hub.url, url, {
      method: 'POST',
      body,
      headers: { 'transfer-encoding': 'chunked' },
    });
    expect(unsaid.status).toBe(413);
    await small.close();
  });

  it('that WeChat leaves without an answer is 504', async () => {
    const small = await authorizerHub({ database: kind, env: { GATEWAY_TIMEOUT_SECONDS: '1' } });
    const one = newAccount(small);
    await authorizeByEvent(small, one);
    small.simulator.addFault({ path: SEND, kind: 'hang' });
    const url = `/proxy/authorizers/${one}${SEND}`;
    const { status, json } = await raw(small.hub.url, url, { method: 'POST', body: '{}' });
    expect({ status, code: json.error.code }).toEqual({ status: 504, code: 'wechat_timeout' });
    await small.close();
  });

  it('waits for no other: a slow body holds up nobody', async () => {
    const { hostname, port } = new URL(test.hub.url);
    const slow = httpRequest({
      hostname,
      port,
      method: 'POST',
      path: `/proxy/authorizers/${account}${SEND}`,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-length': '100000' },
    });
    slow.on('error', () => undefined);
    slow.write('{');
    await delay(20);
    expect((await send()).json.errcode).toBe(0);
    slow.destroy();
  });

  it('shows WeChat none of the caller’s headers but what a call needs, and the caller no token', async () => {
    const token = issued(test) ?? '';
    const { headers, body } = await send(SEND, {
      headers: {
        'content-type': 'application/json',
        cookie: 'a=b',
        'x-forwarded-for': '192.0.2.1',
      },
    });
    expect(JSON.stringify(headers) + body.toString()).not.toContain(token);
  });
});
