import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizerHub, newAccount, PLATFORM } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';

const ALLOWED = 'https://app.example.com';
const LINKS = '/admin/authorizations/links';

describe.each(databaseKinds())('authorization links on %s', (kind) => {
  let test: TestApp;

  beforeAll(async () => {
    const env = {
      AUTHORIZATION_RETURN_ORIGINS: ALLOWED,
      PUBLIC_URL: 'https://hub.example.com',
    };
    test = await authorizerHub({ database: kind, env });
  });
  afterAll(() => test.close());

  async function links(wish: object = {}): Promise<{ pc: URL; h5: URL; expiresAt: string }> {
    const { status, json, text } = await test.hub.post(LINKS, {
      componentAppId: PLATFORM,
      ...wish,
    });
    if (status !== 200) throw new Error(text);
    return { ...json, pc: new URL(json.pc), h5: new URL(json.h5) };
  }

  /** WeChat sends the browser back to where a link says. */
  async function finish(
    link: URL,
  ): Promise<{ status: number; location: URL | null; text: string }> {
    const { code } = await test.simulator.accounts.authorize(PLATFORM, newAccount(test), {
      push: false,
    });
    const back = new URL(link.searchParams.get('redirect_uri') ?? '');
    back.searchParams.set('auth_code', code);
    back.searchParams.set('expires_in', '600');
    const answer = await fetch(test.hub.url + back.pathname + back.search, { redirect: 'manual' });
    const location = answer.headers.get('location');
    return {
      status: answer.status,
      location: location === null ? null : new URL(location),
      text: await answer.text(),
    };
  }

  it('are a PC and an H5 link, with a code of its own each, and all that was wished', async () => {
    const wish = { authType: '2', bizAppId: 'wxbiz', categoryIdList: '1|2|30' };
    const { pc, h5, expiresAt } = await links(wish);
    expect(pc.pathname).toBe('/cgi-bin/componentloginpage');
    expect(h5.pathname).toBe('/wxaopen/safe/bindcomponent');
    expect(h5.hash).toBe('#wechat_redirect');
    expect(Object.fromEntries(h5.searchParams)).toMatchObject({
      action: 'bindcomponent',
      no_scan: '1',
    });
    for (const { searchParams } of [pc, h5]) {
      expect(Object.fromEntries(searchParams)).toMatchObject({
        component_appid: PLATFORM,
        auth_type: '2',
        biz_appid: 'wxbiz',
        category_id_list: '1|2|30',
        redirect_uri: expect.stringMatching(
          `^https://hub.example.com/authorize/${PLATFORM}/callback\\?request=[\\w-]{36}$`,
        ),
      });
    }
    const codes = [pc, h5].map(({ searchParams }) => searchParams.get('pre_auth_code'));
    expect(new Set(codes).size).toBe(2);
    expect(Date.parse(expiresAt) - test.clock.now()).toBe(1800_000);
  });

  it('lead back to the caller, each with a result of its own', async () => {
    const wish = { returnTo: `${ALLOWED}/done?keep=1&result_id=forged&result_id=2`, state: 's' };
    const both = await links(wish);
    const ids = [];
    for (const link of [both.pc, both.h5]) {
      const { status, location } = await finish(link);
      expect(status).toBe(302);
      expect(location?.origin).toBe(ALLOWED);
      expect(Object.fromEntries(location?.searchParams ?? [])).toEqual({
        keep: '1',
        result_id: expect.stringMatching(/^[\w-]{76}$/),
      });
      expect(location?.searchParams.getAll('result_id')).toHaveLength(1);
      ids.push(location?.searchParams.get('result_id'));
    }
    expect(new Set(ids).size).toBe(2);
  });

  it('lead to a page where their way back is no longer allowed', async () => {
    const { pc } = await links({ returnTo: `${ALLOWED}/done` });
    for (const returnTo of ['blob:https://app.example.com/x', 'https://u@app.example.com/']) {
      await sql(test).query('UPDATE authorization_request SET return_to = ?', [returnTo]);
      const { status, location, text } = await finish(pc);
      expect([status, location]).toEqual([returnTo.startsWith('blob') ? 200 : 409, null]);
      expect(text).not.toContain('app.example.com');
    }
  });

  it('without an address to return to end on a page of the hub', async () => {
    const { h5 } = await links();
    const { status, text } = await finish(h5);
    expect(status).toBe(200);
    expect(text).toContain('data-result="authorized"');
  });

  it.each([
    'https://evil.example.com/',
    'https://app.example.com.evil.com/',
    'https://app.example.com@evil.com/',
    'http://app.example.com/',
    'https://app.example.com:8443/',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://app.example.com/x',
    'https://user@app.example.com/',
    'https:app.example.com/',
    'https://app.example.com/\\..',
    '//evil.example.com',
  ])('never lead back to %s', async (returnTo) => {
    const { status } = await test.hub.post(LINKS, { componentAppId: PLATFORM, returnTo });
    expect(status).toBe(400);
    const query = new URLSearchParams({ return_to: returnTo });
    expect((await test.hub.get(`/authorize/${PLATFORM}?${query}`)).status).toBe(400);
  });

  it.each([
    [{ authType: '9' }, 400],
    [{ categoryIdList: '1;2' }, 400],
    [{ unknown: 'x' }, 400],
    [{ componentAppId: 'wxnobody' }, 404],
  ])('refuse %j', async (wish, status) => {
    const answer = await test.hub.post(LINKS, { componentAppId: PLATFORM, ...wish });
    expect(answer.status).toBe(status);
  });

  it('of two requests share no code', async () => {
    const codes = await Promise.all([links(), links()]);
    const all = codes.flatMap(({ pc, h5 }) =>
      [pc, h5].map(({ searchParams }) => searchParams.get('pre_auth_code')),
    );
    expect(new Set(all).size).toBe(4);
  });
});
