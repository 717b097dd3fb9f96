import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { VISITOR_LIMITS } from '../../src/authorization/authorization-limit.js';
import { authorizerHub, breakPath, calls, pass, PLATFORM } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, HOUR, repair, MINUTE, secondHub } from '../support/token-world.js';
import { getFrom } from '../support/visitors.js';

const HUB = 'https://hub.example.com';
const PRE_AUTH_CODE = '/cgi-bin/component/api_create_preauthcode';
const PAGE = `/authorize/${PLATFORM}`;
const { burst, refillMs } = VISITOR_LIMITS;

describe.each(databaseKinds())('the authorization page on %s', (kind) => {
  let test: TestApp;

  beforeAll(async () => {
    const env = { PUBLIC_URL: HUB, AUTHORIZATION_RETURN_ORIGINS: 'https://app.example.com' };
    test = await authorizerHub({ database: kind, env });
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    // Clicks of the test before are no longer counted.
    await pass(test, HOUR);
    test.simulator.clearCalls();
  });
  afterEach(() => repair(test));

  const view = (query = '', headers: Record<string, string> = {}) =>
    test.hub.request('GET', PAGE + query, { headers });

  /** What the links of the page say of it. */
  async function shown(): Promise<string> {
    return links(await view())[0]?.searchParams.get('page') ?? '';
  }

  /** What a browser asks for after a click on the page. */
  async function click(query = 'kind=pc', headers: Record<string, string> = {}): Promise<Answer> {
    const page = query.includes('page=') ? '' : `&page=${await shown()}`;
    const init: RequestInit = { redirect: 'manual', headers };
    return test.hub.request('GET', `${PAGE}/go?${query}${page}`, init);
  }

  const location = ({ headers }: Answer) => new URL(headers.get('location') ?? '');
  const links = ({ text }: Answer) =>
    [...text.matchAll(/href="(\.\/[^"]+)"/g)].map(
      ([, href]) => new URL((href ?? '').replaceAll('&#38;', '&'), HUB + PAGE),
    );

  it('asks WeChat for nothing in 200 views, and once for each click', async () => {
    const views = await Promise.all(Array.from({ length: 200 }, () => view()));
    expect(views.every(({ status }) => status === 200)).toBe(true);
    expect(calls(test, PRE_AUTH_CODE)).toBe(0);
    const clicks = await Promise.all(Array.from({ length: 20 }, () => click()));
    expect(calls(test, PRE_AUTH_CODE)).toBe(20);
    const codes = clicks.map((answer) => location(answer).searchParams.get('pre_auth_code'));
    expect(new Set(codes).size).toBe(20);
  });

  it.each([
    ['pc', '/cgi-bin/componentloginpage', ''],
    ['h5', '/wxaopen/safe/bindcomponent', '#wechat_redirect'],
  ])('leads by %s to WeChat with all that was wished', async (way, path, hash) => {
    const evil = '"><script>alert(1)</script>';
    const query = new URLSearchParams({
      auth_type: '2',
      biz_appid: evil,
      category_id_list: '1|2',
      state: evil,
      return_to: 'https://app.example.com/done',
    });
    const page = await view(`?${query}`);
    expect(page.text).not.toContain('<script');
    const link = links(page).find(({ searchParams }) => searchParams.get('kind') === way);
    expect(link?.pathname).toBe(`${PAGE}/go`);
    expect(link?.searchParams.get('state')).toBe(evil);
    const answer = await click(link?.search.slice(1));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([302, 'no-store']);
    expect([location(answer).pathname, location(answer).hash]).toEqual([path, hash]);
    expect(Object.fromEntries(location(answer).searchParams)).toMatchObject({
      component_appid: PLATFORM,
      auth_type: '2',
      biz_appid: evil,
      category_id_list: '1|2',
      redirect_uri: expect.stringContaining(`${HUB}${PAGE}/callback?request=`),
    });
  });

  it('answers 429 to a visitor who clicks again and again, and to nobody else', async () => {
    const go = `${test.hub.url}${PAGE}/go?kind=pc&page=${await shown()}`;
    for (let n = 0; n < burst; n += 1) {
      expect((await click()).status).toBe(302);
    }
    for (let n = burst; n < 60; n += 1) {
      expect((await click()).status).toBe(429);
    }
    expect((await getFrom('127.0.0.2', go)).status).toBe(302);
    const refused = await click('kind=h5', { 'accept-language': 'en' });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(refused.text).toContain('Too many requests');
    expect(refused.text).toContain('操作过于频繁');
    expect(refused.text).toContain('too_many_authorizations');
    expect(calls(test, PRE_AUTH_CODE)).toBe(burst + 1);
    expect((await view()).status).toBe(200);
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBe(refillMs / 1000);
    test.clock.advance((wait - 1) * 1000);
    expect((await click()).status).toBe(429);
    test.clock.advance(1000);
    expect((await click()).status).toBe(302);
    expect((await click()).status).toBe(429);
  });

  it('does not count the links that administrators make', async () => {
    const body = { componentAppId: PLATFORM };
    for (let n = 0; n <= burst; n += 1) {
      expect((await test.hub.post('/admin/authorizations/links', body)).status).toBe(200);
    }
    expect((await click()).status).toBe(302);
  });

  // Nothing below touches the database.
  if (kind !== 'sqlite') return;

  it('lets a browser load nothing, frame nothing and tell nobody its whole address', async () => {
    const { headers } = await view();
    const policy = headers.get('content-security-policy');
    expect(policy).toMatch(
      /^default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-[\w+/]{43}='; img-src data:$/,
    );
    expect(headers.get('referrer-policy')).toBe('origin');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  });

  it.each<[string, () => Promise<string>, Record<string, string>?]>([
    ['no token of the page', async () => ''],
    ['a made-up one', async () => `${Date.now().toString(36)}.${'A'.repeat(43)}`],
    ['one whose time was changed', async () => (await shown()).replace(/^(.)(.)/, '$2$1')],
    ['one of another platform', async () => shown(), { platform: 'other' }],
    [
      'one that is old',
      async () => {
        const page = await shown();
        await pass(test, 15 * MINUTE);
        return page;
      },
    ],
    ['a good one on a page of somebody else’s', shown, { 'sec-fetch-site': 'cross-site' }],
    ['a good one in the address bar', shown, { 'sec-fetch-site': 'none' }],
  ])('opens no link with %s, whatever the Referer, and leads to itself', async (...row) => {
    const [, token, { platform, ...headers } = {}] = row;
    const page = encodeURIComponent(await token());
    const appid = platform ? (await addPlatform(test)).appid : PLATFORM;
    const path = `/authorize/${appid}/go?kind=pc&state=a%26b&page=${page}`;
    const answer = await test.hub.request('GET', path, {
      headers: { referer: `${HUB}/`, ...headers },
      redirect: 'manual',
    });
    expect(answer.status).toBe(403);
    expect(answer.text).toContain(`href="${HUB}/authorize/${appid}?state=a%26b"`);
    expect(calls(test, PRE_AUTH_CODE)).toBe(0);
  });

  it('opens a link for a click without a Referer, on any host', async () => {
    const page = await shown();
    expect((await click(`kind=pc&page=${page}`)).status).toBe(302);
    const other = await secondHub(test);
    const init: RequestInit = { redirect: 'manual', headers: { 'sec-fetch-site': 'same-origin' } };
    const answer = await other.hub.request('GET', `${PAGE}/go?kind=h5&page=${page}`, init);
    await other.close();
    expect(answer.status).toBe(302);
  });

  it('says in both languages that WeChat has no link to give', async () => {
    breakPath(test, PRE_AUTH_CODE, { kind: 'errcode', errcode: 45009 });
    const { status, text, headers } = await click();
    expect(status).toBe(502);
    expect(text).toContain('暂时无法授权');
    expect(text).toContain('Authorization is not available');
    expect(text).toContain(headers.get('x-request-id'));
  });

  it.each([
    ['/authorize/wxnobody', 404],
    ['/authorize/wxnobody/go?kind=pc', 404],
    [`${PAGE}?return_to=https%3A%2F%2Fevil.example.com`, 400],
    [`${PAGE}/go?kind=pc&return_to=https%3A%2F%2Fevil.example.com`, 400],
    [`${PAGE}/go`, 400],
    [`${PAGE}/go?kind=tv`, 400],
    [`${PAGE}/go?kind=pc&kind=pc`, 400],
    [`${PAGE}/callback?auth_code=${'x'.repeat(1025)}`, 400],
    [`${PAGE}/callback?auth_code=a&auth_code=b`, 400],
    [`${PAGE}/callback?auth_code=a&request=${'x'.repeat(37)}`, 400],
    ['/authorize/wxnobody/callback?auth_code=a', 404],
    [`/authorize/${'a'.repeat(99)}`, 400],
    [`/authorize/${'a'.repeat(999)}`, 414],
    [`/authorize/%zz`, 400],
    [`${PAGE}/nothing`, 404],
    ['/authorize', 404],
    ['/authorize/', 404],
  ])('refuses %s with %i by a page, whatever was clicked', async (path, status) => {
    const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', referer: `${HUB}/` };
    for (const headers of [browser, {}] as Record<string, string>[]) {
      const answer = await test.hub.request('GET', path, { headers, redirect: 'manual' });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('location')).toBeNull();
      expectPage(answer);
    }
    const headers = { accept: 'application/json' };
    const { json } = await test.hub.request('GET', path, { headers, redirect: 'manual' });
    expect(json.error.code).toMatch(/^[a-z_]+$/);
    expect(calls(test, PRE_AUTH_CODE)).toBe(0);
  });

  /** One of the hub's own pages, under the one policy that they have. */
  function expectPage({ headers, text }: Answer): void {
    expect(text).toMatch(/^<!doctype html>/);
    expect(text).not.toContain('{"error"');
    const names = ['content-type', 'cache-control', 'x-content-type-options', 'referrer-policy'];
    expect(names.map((name) => headers.get(name))).toEqual([
      'text/html; charset=utf-8',
      'no-store',
      'nosniff',
      'origin',
    ]);
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; .*frame-ancestors 'none'; style-src 'sha256-\S+'; img-src data:$/,
    );
    expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  }

  it.each(['', '?auth_code=', '?auth_code=&expires_in=600', '?request=', '?x=1'])(
    'says by a page that it was cancelled: a return with "%s"',
    async (query) => {
      const answer = await test.hub.get(`${PAGE}/callback${query}`);
      expectPage(answer);
      expect(answer.status).toBe(200);
      expect(answer.text).toContain('data-result="cancelled"');
      expect(answer.text).toContain('授权已取消');
    },
  );

  it.each([
    ['/nothing', 404, 'page'],
    ['/docs/nothing', 404, 'page'],
    ['/admin/tickets/wxnobody', 404, 'json'],
    ['/api/nothing', 404, 'json'],
    ['/callback/wxnobody/events', 404, 'json'],
    ['/health/nothing', 404, 'json'],
  ])('says to a browser on %s that it is %i by %s', async (path, status, form) => {
    const headers = { accept: 'text/html,*/*;q=0.8' };
    const answer = await test.hub.request('GET', path, { headers });
    expect(answer.status).toBe(status);
    if (form === 'page') expectPage(answer);
    else expect(answer.json.error.id).toBe(answer.headers.get('x-request-id'));
    const other = await test.hub.get(path);
    expect(other.json.error.id).toBe(other.headers.get('x-request-id'));
  });

  it.each([
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    ['en-US,en;q=0.9', 'en'],
    ['fr,en;q=0.5,zh;q=0.7', 'zh-CN'],
    ['zh;q=0, en;q=0.1', 'en'],
    ['EN', 'en'],
    ['fr-FR', 'zh-CN'],
    ['*;q=;,,', 'zh-CN'],
    ['', 'zh-CN'],
  ])('begins for "%s" with %s', async (wanted, lang) => {
    const { text } = await view('', { 'accept-language': wanted });
    expect(text).toContain(`<html lang="${lang}">`);
    const [chinese, english] = ['微信账号授权', 'Authorize a WeChat account'];
    expect(text).toContain(`<title>${lang === 'en' ? english : chinese}</title>`);
    expect(text).toContain(`lang="${lang === 'en' ? 'zh-CN' : 'en'}">`);
  });
});
