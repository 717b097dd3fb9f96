import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AuthorizerRefresher } from '../../src/authorizer/authorizer.refresher.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const component = COMPONENT.appid;
const QUERY_AUTH = '/cgi-bin/component/api_query_auth';
const AUTHORIZER_TOKEN = '/cgi-bin/component/api_authorizer_token';

describe.each(databaseKinds())('authorizers on %s', (kind) => {
  let test: TestApp;
  let account: string;
  let made = 0;

  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await test.simulator.pushTicket(component);
    await test.hub.accessToken();
  });
  afterAll(() => test.close());
  beforeEach(() => {
    [account] = test.simulator.addAccounts({ count: 1, from: (made += 1) }) as [string];
    test.simulator.clearCalls();
  });

  const token = (): Promise<{ status: number; json: any }> =>
    test.hub.get(`/api/authorizers/${account}/access-token`);
  const detail = async (): Promise<any> =>
    (await test.hub.get(`/admin/authorizers/${component}/${account}`)).json;
  const tick = (): Promise<void> => test.app.get(AuthorizerRefresher).tick();
  const calls = (path: string): number => test.simulator.callSummary().paths[path]?.arrived ?? 0;

  async function authorizedByEvent(): Promise<void> {
    const { push } = await test.simulator.authorize(component, account, { push: true });
    expect(push).toMatchObject({ status: 200, body: 'success' });
    await expect.poll(async () => (await token()).status).toBe(200);
  }

  it('turn an authorized event into a record and a token that works', async () => {
    await authorizedByEvent();
    const { json } = await token();
    expect(test.simulator.isAuthorizerTokenValid(json.authorizer_access_token)).toBe(true);
    await tick();
    expect(await detail()).toMatchObject({
      status: 'active',
      type: 'official_account',
      nickName: expect.any(String),
      userName: expect.stringMatching(/^gh_/),
      history: [{ what: 'authorized', detail: { source: 'authorized' } }],
    });
    expect(JSON.stringify(await detail())).not.toMatch(/refreshtoken@@@|\d\d_[\w-]{100,}/);
  });

  it('exchange a code once that comes by redirect and by event at the same time', async () => {
    const { code, event } = await test.simulator.authorize(component, account, { push: false });
    const redirect = `/authorize/${component}/callback?auth_code=${encodeURIComponent(code)}`;
    const [page, pushed] = await Promise.all([
      test.hub.get(redirect),
      test.hub.push(event as NonNullable<typeof event>),
    ]);
    expect(page.text).toContain('data-result="authorized"');
    expect(pushed.text).toBe('success');
    expect((await test.hub.get(redirect)).text).toContain('data-result="authorized"');
    expect(calls(QUERY_AUTH)).toBe(1);
  });

  it('answer 410 with the time after unauthorized, and refresh no more', async () => {
    await authorizedByEvent();
    await test.simulator.withdraw(component, account, { push: true });
    const gone = await token();
    expect(gone).toMatchObject({
      status: 410,
      json: { error: { code: 'authorizer_revoked', revokedAt: expect.any(String) } },
    });
    test.clock.advance(3 * 3_600_000);
    await test.simulator.pushTicket(component);
    await tick();
    expect(calls(AUTHORIZER_TOKEN)).toBe(0);
  });

  it('refresh a token before its end, keeping the refresh token when none comes back', async () => {
    await authorizedByEvent();
    test.simulator.configureAuthorizations({ refreshTokenAnswer: 'omit' });
    for (let round = 1; round <= 2; round += 1) {
      const before = (await token()).json.authorizer_access_token;
      test.clock.advance(111 * 60_000);
      await tick();
      const after = (await token()).json.authorizer_access_token;
      expect(after).not.toBe(before);
      expect(test.simulator.isAuthorizerTokenValid(after)).toBe(true);
    }
    test.simulator.configureAuthorizations({ refreshTokenAnswer: 'same' });
  });

  it('replace everything on updateauthorized', async () => {
    await authorizedByEvent();
    const before = (await token()).json.authorizer_access_token;
    await test.simulator.reauthorize(component, account, { funcInfo: [1, 4, 7], push: true });
    await expect.poll(async () => (await detail()).funcInfo).toEqual([1, 4, 7]);
    await expect
      .poll(async () => (await token()).json.authorizer_access_token)
      .not.toBe(before);
    const { json } = await token();
    expect(test.simulator.isAuthorizerTokenValid(json.authorizer_access_token)).toBe(true);
  });
});
