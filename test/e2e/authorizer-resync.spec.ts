import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuthorizerResyncStore } from '../../src/authorizer/authorizer-resync.store.js';
import { eventually } from '../support/eventually.js';
import {
  AUTHORIZER_LIST,
  authorizeByEvent,
  authorizerHub,
  breakPath,
  calls,
  historyOf,
  infoTick,
  newAccount,
  newAccounts,
  pass,
  PLATFORM,
  resync,
  RESYNC_LIMIT_MS,
  resyncEnded,
  resyncTick,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import {
  addPlatform,
  HOUR,
  repair,
  MINUTE,
  prime,
  secondHub,
  sql,
} from '../support/token-world.js';

const RESYNC = `/admin/components/${PLATFORM}/authorizers/resync`;

describe.each(databaseKinds())('a resync on %s', (kind) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
  });
  afterAll(() => test.close());
  beforeEach(() => test.simulator.clearCalls());
  afterEach(() => repair(test));

  const rows = async (): Promise<number> =>
    Number((await sql(test).query('SELECT COUNT(*) AS n FROM authorizer'))[0].n);

  /** Spares the tests the information of a thousand accounts. */
  const withoutInfos = (): Promise<unknown> =>
    sql(test).query("UPDATE authorizer SET info_due_at = NULL, type = 'official_account'");

  it('adds every account of the list by pages of 500, and shows how far it is', async () => {
    expect((await test.hub.get(RESYNC)).status).toBe(404);
    const accounts = newAccounts(test, 1001, { authorizedTo: PLATFORM });
    const begun = await test.hub.post(RESYNC);
    expect(begun).toMatchObject({ status: 202, json: { done: 0, finishedAt: null } });
    const ended = async (): Promise<any> => {
      const { json } = await test.hub.get(RESYNC);
      return json.finishedAt ? json : undefined;
    };
    const end = await eventually('the end', ended, RESYNC_LIMIT_MS);
    expect(end).toMatchObject({ done: 1001, total: 1001 });
    expect(calls(test, AUTHORIZER_LIST)).toBe(3);
    expect(await rows()).toBe(1001);
    await withoutInfos();
    const [one] = accounts as [string];
    expect(test.simulator.accounts.isTokenValid(await tokenText(test, one))).toBe(true);
  });

  it('goes on where another hub was when it ended, and calls no page twice', async () => {
    breakPath(test, AUTHORIZER_LIST, { kind: 'hang' });
    const other = await secondHub(test);
    await other.hub.post(RESYNC);
    await test.simulator.waitForCall(AUTHORIZER_LIST);
    repair(test);
    test.simulator.release(AUTHORIZER_LIST);
    breakPath(test, AUTHORIZER_LIST, { kind: 'reset' });
    await test.simulator.waitForCall(AUTHORIZER_LIST, { count: 2 });
    await other.close();
    expect((await test.hub.get(RESYNC)).json).toMatchObject({ done: 500, finishedAt: null });
    repair(test);
    test.simulator.clearCalls();
    test.clock.advance(61_000);
    await resyncEnded(test);
    expect((await test.hub.get(RESYNC)).json).toMatchObject({ done: 1001, total: 1001 });
    expect(calls(test, AUTHORIZER_LIST)).toBe(2);
    expect(await rows()).toBe(1001);
  });

  it('is one, however many ask for it', async () => {
    await pass(test, MINUTE);
    test.simulator.clearCalls();
    const begun = await Promise.all(Array.from({ length: 10 }, () => test.hub.post(RESYNC)));
    expect(begun.map(({ status }) => status)).toEqual(Array(10).fill(202));
    await resync(test);
    expect(calls(test, AUTHORIZER_LIST)).toBeLessThanOrEqual(6);
  });

  it('repairs a refresh token that was lost, and one that is not the right one', async () => {
    const [lost, wrong] = newAccounts(test, 2, { authorizedTo: PLATFORM }) as [string, string];
    await resync(test);
    await pass(test, MINUTE);
    const query = 'UPDATE authorizer SET refresh_token = NULL WHERE authorizer_appid = ?';
    await sql(test).query(query, [lost]);
    await test.simulator.accounts.withdraw(PLATFORM, wrong, { push: false });
    const { code } = await test.simulator.accounts.authorize(PLATFORM, wrong, { push: false });
    const body = { component_appid: PLATFORM, authorization_code: code };
    const token = test.simulator.currentToken(PLATFORM)?.value ?? '';
    await fetch(
      `${test.simulator.url}/cgi-bin/component/api_query_auth?component_access_token=${token}`,
      { method: 'POST', body: JSON.stringify(body) },
    );
    await resync(test);
    for (const account of [lost, wrong]) {
      expect(await historyOf(test, account)).toContain('refresh_token_repaired');
      await test.hub.post(`/admin/authorizers/${PLATFORM}/${account}/refresh`);
      expect(test.simulator.accounts.isTokenValid(await tokenText(test, account))).toBe(true);
    }
  });

  it('marks what is gone, and deletes nothing', async () => {
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    const before = await rows();
    await test.simulator.accounts.withdraw(PLATFORM, account, { push: false });
    await pass(test, MINUTE);
    await resync(test);
    await infoTick(test);
    expect(await rows()).toBe(before);
    expect(await tokenOf(test, account)).toMatchObject({ status: 410 });
    expect((await historyOf(test, account)).at(-1)).toBe('found_withdrawn');
  });

  it('ends no account that slipped from one page to the one before while it was read', async () => {
    const list = await test.hub.get(`/admin/authorizers?component=${PLATFORM}&limit=2`);
    const [gone] = list.json.authorizers as { authorizerAppId: string }[];
    await pass(test, MINUTE);
    breakPath(test, AUTHORIZER_LIST, { kind: 'delay', delayMs: 300, times: 2 });
    test.simulator.clearCalls();
    await test.hub.post(RESYNC);
    await test.simulator.waitForCall(AUTHORIZER_LIST, { count: 2 });
    await test.simulator.accounts.withdraw(PLATFORM, gone?.authorizerAppId ?? '', { push: false });
    await resync(test);
    await infoTick(test);
    const unseen = await sql(test).query(
      'SELECT a.status, a.info_due_at FROM authorizer a JOIN authorizer_resync r ' +
        'ON a.component_appid = r.component_appid ' +
        "WHERE a.resync_id <> r.resync_id AND a.status <> 'revoked'",
    );
    // The page after the withdrawal began one account too late; that one was looked up.
    expect(unseen).toEqual([{ status: 'active', info_due_at: null }]);
  });

  it('leaves the next one to who begins it', async () => {
    const store = test.app.get(AuthorizerResyncStore);
    const advance = store.advance.bind(store);
    vi.spyOn(store, 'advance').mockImplementation(async (row, progress) => {
      await advance(row, progress);
      if (progress.finished) await store.begin(PLATFORM);
    });
    await pass(test, MINUTE);
    await store.begin(PLATFORM);
    test.simulator.clearCalls();
    await resyncTick(test);
    vi.restoreAllMocks();
    expect((await test.hub.get(RESYNC)).json).toMatchObject({ done: 0, finishedAt: null });
    expect(calls(test, AUTHORIZER_LIST)).toBe(3);
    await resyncEnded(test);
  });

  it('begins by itself every day, whatever ails another platform', async () => {
    await addPlatform(test);
    await pass(test, 25 * HOUR);
    test.simulator.clearCalls();
    await resyncEnded(test);
    expect(calls(test, AUTHORIZER_LIST)).toBe(3);
    await pass(test, HOUR);
    await prime(test);
    await resyncTick(test);
    expect(calls(test, AUTHORIZER_LIST)).toBe(3);
  });
});
