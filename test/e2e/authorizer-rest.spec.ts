import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  importAll,
  newAccount,
  newAccounts,
  PLATFORM,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { LOG_FOLDER } from '../support/test-logs.js';
import { sql } from '../support/token-world.js';

const PREFIX = 'wx00restspec';

describe.each(databaseKinds())('the REST interface of authorizers on %s', (kind) => {
  let test: TestApp;
  let formula: string;

  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    newAccounts(test, 23, { authorizedTo: PLATFORM });
    const settings = { nickName: '=HYPERLINK("http://x","y")', principalName: '100%_of! "ACME"' };
    formula = newAccount(test, { ...settings, authorizedTo: PLATFORM });
    await importAll(test);
    await authorizerTick(test);
  });
  afterAll(() => test.close());

  async function pages(query: string): Promise<string[]> {
    const found: string[] = [];
    let after = '';
    do {
      const { json } = await test.hub.get(`/admin/authorizers?limit=5&${query}${after}`);
      found.push(...json.authorizers.map((a: { authorizerAppId: string }) => a.authorizerAppId));
      after = json.next === null ? '' : `&after=${encodeURIComponent(json.next)}`;
    } while (after !== '');
    return found;
  }

  it('lists all accounts page by page, in an order that holds', async () => {
    const all = await pages('');
    expect(all).toHaveLength(24);
    expect(all).toEqual(all.toSorted());
    expect(new Set(all).size).toBe(24);
  });

  it('does not lose its place when accounts come and change between two pages', async () => {
    const { json } = await test.hub.get('/admin/authorizers?limit=10');
    await test.simulator.accounts.withdraw(PLATFORM, json.authorizers[9].authorizerAppId, {
      push: true,
    });
    const added = `${PREFIX}000000`;
    await authorizeByEvent(test, test.simulator.accounts.add({ appid: added })[0] as string);
    const after = encodeURIComponent(json.next);
    const rest = await test.hub.get(`/admin/authorizers?limit=100&after=${after}`);
    const seen = [...json.authorizers, ...rest.json.authorizers];
    const ids = seen.map(({ authorizerAppId }) => authorizerAppId).filter((id) => id !== added);
    expect(new Set(ids).size).toBe(24);
    await authorizeByEvent(test, json.authorizers[9].authorizerAppId);
  });

  it.each([
    ['a name', 'HYPERLINK', 1],
    ['a percent sign', '100%', 1],
    ['an underscore', '%_of', 1],
    ['the escape sign', 'of!', 1],
    ['a wildcard that means itself', '1%0', 0],
    ['a quote', "'", 0],
    ['a backslash', '\\', 0],
  ])('finds by %s', async (_, search, count) => {
    expect(await pages(`search=${encodeURIComponent(search)}`)).toHaveLength(count);
  });

  it('finds by type, by a permission set that is lacking, and by a failing token', async () => {
    await authorizerTick(test);
    const all = await pages('');
    expect(await pages('type=official_account')).toEqual(all);
    expect(await pages('type=mini_program')).toEqual([]);
    const { json } = await test.hub.get('/admin/authorizers?limit=1');
    const [granted] = json.authorizers[0].funcInfo;
    expect(await pages(`lacks=${granted}`)).toEqual([]);
    // A part of a number is no number.
    expect(await pages('lacks=9999')).toEqual(all);
    expect(await pages('accountStatus=1')).toEqual(all);
    expect(await pages('accountStatus=14')).toEqual([]);
    expect(json.authorizers[0]).toMatchObject({
      serviceType: 2,
      accountStatus: 1,
      registerType: 0,
    });
    const exported = await test.hub.get('/admin/authorizers/export?accountStatus=14');
    expect(exported.text.trim().split('\r\n')).toHaveLength(1);
    expect(await pages('failing=true')).toEqual([]);
    expect(await pages('failing=false')).toEqual(all);
    await sql(test).query(
      'UPDATE authorizer SET attempts = 2 WHERE authorizer_appid IN (?, ?, ?)',
      all.slice(0, 3),
    );
    expect(await pages('failing=true')).toEqual(all.slice(0, 3));
    expect(await pages('failing=true&status=active&type=official_account')).toEqual(
      all.slice(0, 3),
    );
    expect(await pages('failing=true&component=wxnobody')).toEqual([]);
    expect(await pages('failing=true&status=revoked')).toEqual([]);
    const first = (await test.hub.get('/admin/authorizers?failing=true&limit=2')).json;
    const rest = (
      await test.hub.get(
        `/admin/authorizers?failing=true&limit=2&after=${encodeURIComponent(first.next)}`,
      )
    ).json;
    expect([first.authorizers.length, rest.authorizers.length, rest.next]).toEqual([2, 1, null]);
    await sql(test).query('UPDATE authorizer SET attempts = 0');
    expect((await test.hub.get('/admin/authorizers?failing=perhaps')).status).toBe(400);
    expect((await test.hub.get('/admin/authorizers?lacks=0')).status).toBe(400);
  });

  it('lists the authorizations that were tried, newest first, with their outcome', async () => {
    const appid = newAccount(test);
    await authorizeByEvent(test, appid);
    await authorizeByEvent(test, newAccount(test));
    const first = await test.hub.get('/admin/authorizations?limit=1');
    expect(first.json.authorizations).toHaveLength(1);
    const rest = await test.hub.get(`/admin/authorizations?before=${first.json.next}`);
    expect(rest.json.next).toBeNull();
    const all = [...first.json.authorizations, ...rest.json.authorizations];
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const known = all.find(({ authorizerAppId }) => authorizerAppId === appid);
    const expected = { componentAppId: PLATFORM, source: 'authorized', outcome: 'authorized' };
    expect(known).toMatchObject({ ...expected, error: null });
    const others = await test.hub.get('/admin/authorizations?component=wx404');
    expect(others.json).toEqual({ authorizations: [], next: null });
    expect((await test.hub.get('/admin/authorizations?before=x')).status).toBe(400);
  });

  it('fetches the information of an account when it is asked to', async () => {
    const appid = newAccount(test);
    await authorizeByEvent(test, appid);
    await authorizerTick(test);
    await test.simulator.accounts.authorize(PLATFORM, appid, { funcInfo: [1], push: false });
    const path = `/admin/authorizers/${PLATFORM}/${appid}`;
    const asked = await test.hub.post(`${path}/info`);
    expect([asked.status, asked.json.funcInfo]).toEqual([200, [1]]);
    const { json } = await test.hub.get(path);
    expect(json.history[0].what).toBe('info_changed');
    expect(json.history[0].detail.funcInfo.to).toBe('[1]');
    const records = await test.hub.get('/admin/audit?limit=1&action=authorizer.fetch_info');
    expect(records.json.records[0].target).toContain(appid);
    const unknown = await test.hub.post(`/admin/authorizers/${PLATFORM}/wx404/info`);
    expect([unknown.status, unknown.json.error.code]).toEqual([404, 'authorizer_unknown']);
    await test.simulator.accounts.withdraw(PLATFORM, appid, { push: false });
    const gone = await test.hub.post(`${path}/info`);
    expect([gone.status, gone.json.status]).toEqual([200, 'revoked']);
  });

  it('finds by appid, by original id, by platform and by status', async () => {
    const { json } = await test.hub.get(`/admin/authorizers/${PLATFORM}/${formula}`);
    expect(await pages(`search=${formula}`)).toEqual([formula]);
    expect(await pages(`search=${json.userName}`)).toEqual([formula]);
    expect(await pages(`component=${PLATFORM}&status=active`)).toContain(formula);
    expect(await pages('status=suspended')).toEqual([]);
    expect(await pages('component=wxnobody')).toEqual([]);
  });

  it.each([
    'status=broken',
    'limit=0',
    'limit=501',
    'limit=x',
    'search=',
    `search=${'x'.repeat(65)}`,
  ])('refuses %s', async (query) => {
    expect((await test.hub.get(`/admin/authorizers?${query}`)).status).toBe(400);
  });

  it('exports CSV in which no name is a formula', async () => {
    const { text, headers } = await test.hub.get('/admin/authorizers/export');
    expect(headers.get('content-type')).toContain('text/csv');
    expect(headers.get('content-disposition')).toContain('authorizers.csv');
    const lines = text.trim().split('\r\n');
    expect(lines.length).toBeGreaterThanOrEqual(25);
    const line = lines.find((one) => one.includes(formula));
    expect(line).toContain(`"'=HYPERLINK(""http://x"",""y"")"`);
    expect(line).toContain('"100%_of! ""ACME"""');
  });

  it('reads and sets options at WeChat', async () => {
    const path = `/admin/authorizers/${PLATFORM}/${formula}/options/voice_recognize`;
    expect((await test.hub.get(path)).json).toEqual({ name: 'voice_recognize', value: '0' });
    expect((await test.hub.post(path, { value: '1' })).status).toBe(200);
    expect((await test.hub.get(path)).json.value).toBe('1');
    const wrong = await test.hub.post(path, { value: '7' });
    expect(wrong).toMatchObject({ status: 502, json: { error: { errcode: 61013 } } });
    const unknown = path.replace('voice_recognize', 'no_such_option');
    expect((await test.hub.get(unknown)).json.error.errcode).toBe(61012);
    expect((await test.hub.get(path.replace(formula, 'wxnobody'))).status).toBe(404);
  });

  it.each([
    '/admin/authorizers',
    '/admin/authorizers/export',
    `/admin/authorizers/${PLATFORM}/x`,
    '/admin/authorizations/events?component=x',
    `/admin/components/${PLATFORM}/authorizers/resync`,
    '/api/authorizers/x/access-token',
  ])('needs the admin token for %s', async (path) => {
    const answer = await test.hub.request('GET', path, { headers: { authorization: 'Bearer no' } });
    expect(answer.status).toBe(401);
  });

  it('shows no secret anywhere, and the database holds none in the clear', async () => {
    const access = await tokenText(test, formula);
    const refresh = test.simulator.accounts.refreshTokenOf(PLATFORM, formula) ?? '';
    const answers = await Promise.all(
      [
        '/admin/authorizers?limit=500',
        `/admin/authorizers/${PLATFORM}/${formula}`,
        '/admin/authorizers/export',
        `/admin/authorizations/events?component=${PLATFORM}`,
      ].map((path) => test.hub.get(path)),
    );
    const tables = ['authorizer', 'authorizer_change', 'authorization_code', 'callback_event'];
    const dumps = await Promise.all(
      tables.map((table) => sql(test).query(`SELECT * FROM ${table}`)),
    );
    const shown = answers.map(({ text }) => text).join('\n') + JSON.stringify(dumps);
    expect(shown).toContain(formula);
    const logs = readdirSync(LOG_FOLDER).map((f) => readFileSync(join(LOG_FOLDER, f), 'utf8'));
    for (const secret of [access, refresh]) {
      expect(secret.length).toBeGreaterThan(20);
      expect(shown).not.toContain(secret);
      expect(logs.filter((log) => log.includes(secret))).toEqual([]);
    }
    for (const pattern of [/queryauthcode@@@/, /refreshtoken@@@/, /preauthcode@@@/]) {
      expect(shown).not.toMatch(pattern);
    }
  });
});
