import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLICKS_PER_MINUTE } from '../../src/authorizer/authorization-limit.js';
import { authorizerHub, breakPath, calls, PLATFORM } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { mend, MINUTE } from '../support/token-world.js';

const HUB = 'https://hub.example.com';
const PRE_AUTH_CODE = '/cgi-bin/component/api_create_preauthcode';
const PAGE = `/authorize/${PLATFORM}`;

describe.each(databaseKinds())('the authorization page on %s', (kind) => {
  let test: TestApp;

  beforeAll(async () => {
    const env = { PUBLIC_URL: HUB, AUTHORIZATION_RETURN_ORIGINS: 'https://app.example.com' };
    test = await authorizerHub({ database: kind, env });
  });
  afterAll(() => test.close());
  beforeEach(() => {
    // Clicks of the test before are no longer counted.
    test.clock.advance(MINUTE);
    test.simulator.clearCalls();
  });
  afterEach(() => mend(test));

  const view = (query = '', headers: Record<string, string> = {}) =>
    test.hub.request('GET', PAGE + query, { headers });

  /** What a browser asks for after a click on the page. */
  function click(query = 'kind=pc', headers: Record<string, string> = {}): Promise<Answer> {
    const init: RequestInit = { redirect: 'manual', headers: { referer: `${HUB}/`, ...headers } };
    return test.hub.request('GET', `${PAGE}/go?${query}`, init);
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

  it('answers 429 past the clicks of a minute, and goes on a minute later', async () => {
    for (let n = 0; n < CLICKS_PER_MINUTE; n += 1) {
      expect((await click()).status).toBe(302);
      test.clock.advance(500);
    }
    const refused = await click('kind=h5', { 'accept-language': 'en' });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(refused.text).toContain('Too many requests');
    expect(refused.text).toContain('操作过于频繁');
    expect(refused.text).toContain('too_many_authorizations');
    expect(calls(test, PRE_AUTH_CODE)).toBe(CLICKS_PER_MINUTE);
    expect((await view()).status).toBe(200);
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBe(60 - CLICKS_PER_MINUTE / 2);
    test.clock.advance((wait - 1) * 1000);
    expect((await click()).status).toBe(429);
    test.clock.advance(1000);
    expect((await click()).status).toBe(302);
    expect((await click()).status).toBe(429);
  });

  it('does not count the links that administrators make', async () => {
    const body = { componentAppId: PLATFORM };
    for (let n = 0; n <= CLICKS_PER_MINUTE; n += 1) {
      expect((await test.hub.post('/admin/authorizations/links', body)).status).toBe(200);
    }
    expect((await click()).status).toBe(302);
  });

  // Nothing below touches the database.
  if (kind !== 'sqlite') return;

  it('lets a browser load nothing, frame nothing and tell nobody its whole address', async () => {
    const { headers } = await view();
    const policy = headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; img-src data:;/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers.get('referrer-policy')).toBe('origin');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  });

  it.each([
    ['none', ''],
    ['a strange one', 'https://evil.example.com/'],
    ['one that is no address', 'hub.example.com'],
    ['one of another port', 'https://hub.example.com:8443/'],
  ])('opens no link with a Referer that is %s, and leads to itself', async (_case, referer) => {
    const answer = await click('kind=pc&state=a%26b', { referer });
    expect(answer.status).toBe(403);
    expect(answer.text).toContain(`href="${HUB}${PAGE}?state=a%26b"`);
    expect(calls(test, PRE_AUTH_CODE)).toBe(0);
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
  ])('refuses %s with %i, whatever was clicked', async (path, status) => {
    const headers = { referer: `${HUB}/` };
    const answer = await test.hub.request('GET', path, { headers, redirect: 'manual' });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('location')).toBeNull();
    expect(calls(test, PRE_AUTH_CODE)).toBe(0);
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
