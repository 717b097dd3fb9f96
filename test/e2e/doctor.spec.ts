import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as streamText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findings } from '../../console/src/texts/findings.js';
import { zh } from '../../console/src/texts/zh.js';
import { RefusedPushes } from '../../src/callback/refused-pushes.js';
import { DoctorService } from '../../src/doctor/doctor.service.js';
import { CHECK_IDS } from '../../src/doctor/doctor.views.js';
import { HostRecorder } from '../../src/instance/host.recorder.js';
import { StatisticsRecorder } from '../../src/statistics/statistics.recorder.js';
import { authorizeByEvent, newAccount, PLATFORM } from '../support/authorizer-world.js';
import { ConnectProxy } from '../support/connect-proxy.js';
import { databaseKinds } from '../support/databases.js';
import {
  browsers,
  ConsoleBrowser,
  faultsOf,
  overflow,
  signInAt,
} from '../support/console-browser.js';
import { FakeClock } from '../support/fake-clock.js';
import { ADMIN_TOKEN, hubEnvironment, MASTER_KEY } from '../support/fake-settings.js';
import { FrontProxy, type FrontBehaviour } from '../support/front-proxy.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { TestAuthority } from '../support/test-certificates.js';
import {
  addPlatform,
  breakExchange,
  prime,
  repair,
  secondHub,
  sql,
  START_PUSH,
  tick,
} from '../support/token-world.js';

const DOCTOR = join(import.meta.dirname, '../../dist/doctor.js');

const HOUR = 3_600_000;
const MINUTE = 60_000;
const LOOKS = [
  ['light', 1280],
  ['dark', 375],
] as const;

interface Check {
  id: string;
  componentAppId: string | null;
  status: string;
  code: string;
  facts: Record<string, unknown>;
  seen: string;
  remedy: string | null;
  docs: string | null;
  details: string[];
}

async function examine({ hub }: Pick<TestApp, 'hub'>): Promise<Check[]> {
  const { status, json } = await hub.get('/admin/doctor');
  expect(status).toBe(200);
  return json.checks;
}

async function found(
  test: Pick<TestApp, 'hub'>,
  id: string,
  componentAppId: string | null = null,
): Promise<Check> {
  const checks = await examine(test);
  const check = checks.find((one) => one.id === id && one.componentAppId === componentAppId);
  if (!check) throw new Error(`No check ${id} of ${componentAppId}`);
  return check;
}

describe.each(databaseKinds())('/admin/doctor on %s', (kind) => {
  let test: TestApp;
  let front: FrontProxy;
  /** How far WeChat's clock is ahead. */
  let ahead = 0;
  beforeAll(async () => {
    const clock = new FakeClock();
    front = await FrontProxy.open();
    test = await createTestApp({
      database: kind,
      clock,
      simulator: { now: () => clock.now() + ahead },
      env: { PUBLIC_URL: front.url },
    });
    front.target = test.hub.url;
    await prime(test);
  });
  afterAll(async () => {
    await test?.close();
    await front?.close();
  });

  it('finds a hub well, leaves nothing behind, and shows no secret', async () => {
    test.simulator.clearCalls();
    const checks = await examine(test);
    const codes =
      'accounts_ok admin_closed admin_token_ok clock_ok credentials_ok database_ok egress_ok ' +
      'files_ok hosts_ok keys_ok only_asked only_asked outside_ok permissions_ok platforms_ok ' +
      'proxy_none public_url_local refreshes_ok refused_none schema_ok server_ok settings_ok ' +
      'subscriptions_none ticket_ok token_ok values_ok wechat_ok';
    const ofKind = {
      sqlite: 'database_clock_same disk_ok replication_none',
      mysql: 'database_clock_ok disk_elsewhere replication_none',
    }[kind];
    const expected = `${codes} ${ofKind}`.split(' ').toSorted();
    expect(checks.map(({ code }) => code).toSorted()).toEqual(expected);
    expect(await sql(test).query('SELECT * FROM write_probe')).toEqual([]);
    expect(Object.keys(test.simulator.callSummary().paths)).toEqual(['/']);
    const text = JSON.stringify(checks);
    expect(text).not.toContain(ADMIN_TOKEN);
    expect(checks.filter(({ seen }) => seen.includes('{'))).toEqual([]);
  });

  it('finds settings that are missing, weak or doubtful', async () => {
    const weak = 'ababababababababababababab';
    const other = await secondHub(test, {
      PUBLIC_URL: '',
      ADMIN_TOKEN: weak,
      CALLBACK_TIMESTAMP_WINDOW_SECONDS: '7200',
    });
    const headers = { authorization: `Bearer ${weak}` };
    const { json } = await other.hub.request('GET', '/admin/doctor', { headers });
    await other.close();
    const codes = Object.fromEntries(json.checks.map(({ id, code }: Check) => [id, code]));
    expect(codes).toMatchObject({
      public_url: 'public_url_unset',
      admin_token: 'admin_token_weak',
      settings: 'settings_doubtful',
    });
    const doubtful = json.checks.find(({ id }: Check) => id === 'settings');
    expect(doubtful.details[0]).toContain('CALLBACK_TIMESTAMP_WINDOW_SECONDS');
    expect(JSON.stringify(json)).not.toContain(weak);
  });

  it('finds a platform without a ticket, values that WeChat would not have given, and one that is disabled', async () => {
    const { appid } = await addPlatform(test);
    expect(await found(test, 'ticket', appid)).toMatchObject({
      status: 'failure',
      code: 'ticket_none',
      remedy: expect.stringContaining(`${front.url}/callback/${appid}/events`),
      docs: 'docs/doctor.md#ticket',
    });
    expect((await found(test, 'token', appid)).code).toBe('token_none');
    const odd = await found(test, 'values', appid);
    expect(odd).toMatchObject({ code: 'values_odd', facts: { count: 1 } });
    expect(JSON.stringify(odd)).not.toContain('fake-secret');
    await test.hub.patch(`/admin/components/${appid}`, { enabled: false });
    expect((await found(test, 'ticket', appid)).status).toBe('skipped');
  });

  it('finds pushes that were refused within the hour, by reason and sender', async () => {
    const path = `/callback/${PLATFORM}/events?timestamp=1&nonce=2&msg_signature=x`;
    const body = '<xml><Encrypt>x</Encrypt></xml>';
    for (let time = 0; time < 3; time += 1) await test.hub.request('POST', path, { body });
    await test.app.get(RefusedPushes).flush();
    expect(await found(test, 'refused_pushes')).toMatchObject({
      status: 'warning',
      facts: { count: 3 },
      details: [`3 × signature_invalid · events · ${PLATFORM} · 127.0.0.1`],
    });
  });

  it('finds accounts that need to be authorized again, and refreshes that are late', async () => {
    await authorizeByEvent(test, newAccount(test));
    await authorizeByEvent(test, newAccount(test));
    expect((await found(test, 'accounts', PLATFORM)).code).toBe('accounts_ok');
    const [row] = await sql(test).query('SELECT authorizer_appid AS appid FROM authorizer');
    await sql(test).query(
      "UPDATE authorizer SET status = 'needs_reauthorization', refresh_at = NULL WHERE authorizer_appid = ?",
      [row.appid],
    );
    await sql(test).query('UPDATE authorizer SET refresh_at = ? WHERE refresh_at IS NOT NULL', [
      test.clock.now() - 10 * MINUTE,
    ]);
    const lost = { status: 'warning', code: 'accounts_lost', facts: { count: 1 } };
    expect(await found(test, 'accounts', PLATFORM)).toMatchObject(lost);
    const late = { code: 'refreshes_late', facts: { minutes: 10 } };
    expect(await found(test, 'refreshes', PLATFORM)).toMatchObject(late);
  });

  it('finds subscriptions whose targets fail or were given up, not those that a person disabled', async () => {
    const add = async (name: string, enabled = true): Promise<string> => {
      const body = { name, url: 'https://service.example.com/', enabled };
      return (await test.hub.post('/admin/subscriptions', body)).json.id;
    };
    const [failing, disabled] = [await add('Failing'), await add('Given up')];
    await sql(test).query('UPDATE subscription SET failing_since = 1 WHERE id = ?', [failing]);
    await sql(test).query(
      "UPDATE subscription SET enabled = 0, disabled_reason = 'gone' WHERE id = ?",
      [disabled],
    );
    // Any change is live at once, with what else has changed.
    await add('Off', false);
    expect(await found(test, 'subscriptions')).toMatchObject({
      status: 'warning',
      facts: { count: 2 },
      details: [`Failing (${failing}) · failing`, `Given up (${disabled}) · gone`],
    });
  });

  // A hub of its own: beyond twenty at once, one run a second is made.
  describe('in the database', () => {
    let other: TestApp;
    beforeAll(async () => {
      other = await secondHub(test);
    });
    afterAll(() => other?.close());

    it('finds values under a key that is not there, and values that are not encrypted', async () => {
      const set = 'UPDATE subscription SET previous_secret = ?';
      await sql(test).query(set, ['enc:v1:lost:fake-ciphertext']);
      const missing = { status: 'failure', code: 'keys_missing', facts: { count: 1 } };
      const check = await found(other, 'keys');
      expect(check).toMatchObject(missing);
      expect(check.details).toEqual(['lost: subscription.previous_secret']);
      await sql(test).query(set, ['fake-plain-secret']);
      const plain = await found(other, 'keys');
      expect(plain).toMatchObject({
        code: 'keys_plain',
        details: ['subscription.previous_secret'],
      });
      expect(JSON.stringify(plain)).not.toContain('fake-plain');
      await sql(test).query('UPDATE subscription SET previous_secret = NULL');
      expect((await found(other, 'keys')).code).toBe('keys_ok');
    });

    it('finds a value under a key that is not there in the middle of a long table', async () => {
      const rows = Array.from({ length: 1400 }, (_, index) => {
        const key = index === 700 ? 'lost' : 't1';
        return `('key-${String(index).padStart(4, '0')}', 'wx1', 'enc:v1:${key}:fake', 'redirect', 'done', 0, 0, 0)`;
      });
      await sql(test).query(
        `INSERT INTO authorization_code (code_hash, component_appid, code, source, state, attempts,
           next_attempt_at, received_at) VALUES ${rows.join(', ')}`,
      );
      const check = await found(other, 'keys');
      await sql(test).query("DELETE FROM authorization_code WHERE code_hash LIKE 'key-%'");
      expect(check).toMatchObject({
        code: 'keys_missing',
        details: ['lost: authorization_code.code'],
      });
    });

    it('finds a schema that lacks a migration, and one of a newer version', async () => {
      const name = 'AddAccountFacts1764290000000';
      const rename = 'UPDATE migrations SET name = ? WHERE name = ?';
      await sql(test).query(rename, [`${name}0`, name]);
      const behind = await found(other, 'schema');
      await sql(test).query(rename, [name, `${name}0`]);
      expect(behind).toMatchObject({ code: 'schema_behind', details: [name] });
      const insert = "INSERT INTO migrations (timestamp, name) VALUES (1, 'Later1')";
      await sql(test).query(insert);
      const newer = await found(other, 'schema');
      await sql(test).query("DELETE FROM migrations WHERE name = 'Later1'");
      expect(newer).toMatchObject({ code: 'schema_ahead', details: ['Later1'] });
    });

    it('finds a database that cannot be written', async () => {
      await sql(test).query('ALTER TABLE write_probe RENAME TO write_probe_away');
      const check = await found(other, 'database');
      await sql(test).query('ALTER TABLE write_probe_away RENAME TO write_probe');
      expect(check).toMatchObject({ status: 'failure', code: 'database_down' });
      expect((await found(other, 'database')).code).toBe('database_ok');
    });
  });

  it('finds a clock that is off, and a WeChat that does not answer', async () => {
    ahead = 20_000;
    const off = await found(test, 'clock');
    expect(off).toMatchObject({ status: 'warning', code: 'clock_off' });
    // WeChat's clock is known to the second.
    expect(Math.abs(Number(off.facts.seconds) - 20)).toBeLessThanOrEqual(1);
    ahead = -3 * MINUTE;
    expect(await found(test, 'clock')).toMatchObject({ status: 'failure', code: 'clock_wrong' });
    ahead = 0;
    const other = await secondHub(test, { WECHAT_API_BASE_URL: 'http://127.0.0.1:9' });
    const check = await found(other, 'wechat');
    const clock = await found(other, 'clock');
    await other.close();
    expect(check).toMatchObject({ status: 'failure', code: 'wechat_unreachable' });
    expect(check.seen).toContain('ECONNREFUSED');
    expect(clock.code).toBe('clock_unknown');
  });

  it('finds a name in PUBLIC_URL that has no address', async () => {
    const other = await secondHub(test, { PUBLIC_URL: 'https://hub.invalid' });
    const checks = await examine(other);
    await other.close();
    const codes = Object.fromEntries(checks.map(({ id, code }) => [id, code]));
    expect(codes).toMatchObject({
      public_url: 'public_url_ok',
      outside: 'way_dns',
      admin: 'admin_unknown',
    });
  });

  it('finds calls that accounts have not permitted', async () => {
    const path = '/cgi-bin/user/get';
    const [row] = await sql(test).query(
      "SELECT authorizer_appid AS appid FROM authorizer WHERE status = 'active'",
    );
    test.simulator.addFault({ path, kind: 'errcode', errcode: 48001 });
    await test.hub.get(`/proxy/authorizers/${row.appid}${path}`);
    repair(test);
    await test.app.get(StatisticsRecorder).flush();
    expect(await found(test, 'permissions', PLATFORM)).toMatchObject({
      code: 'permissions_missing',
      facts: { count: 1 },
      details: [`1 × 48001 · cgi-bin/user/get · ${row.appid}`],
    });
  });

  it('is counted for Prometheus, once an hour without calling anybody', async () => {
    expect(await found(test, 'wechat')).toMatchObject({ code: 'wechat_ok' });
    test.simulator.clearCalls();
    await test.app.get(DoctorService).lookAround();
    expect(test.simulator.callSummary().paths).toEqual({});
    const { text } = await test.hub.get('/metrics');
    expect(text).toContain('hub_doctor_check{check="values",status="ok"} 1');
    expect(text).toContain('hub_doctor_check{check="database",status="failure"} 0');
    // What only a person asks for would fail there until somebody asks again.
    expect(text).not.toMatch(/hub_doctor_check\{check="(?:wechat|outside|asked|push)"/);
  });

  it('knows the hosts that share the database, and warns where they should not', async () => {
    const hosts = async () => (await test.hub.get('/admin/instance')).json.hosts;
    expect(await found(test, 'hosts')).toMatchObject({ code: 'hosts_ok', facts: { count: 1 } });
    const other = await secondHub(test);
    const both = await hosts();
    const host = { name: hostname(), pid: process.pid, version: '0.1.0', running: true };
    expect(both).toEqual([expect.objectContaining(host), expect.objectContaining(host)]);
    expect(both.map(({ answers }: { answers: boolean }) => answers).toSorted()).toEqual([
      false,
      true,
    ]);
    await sql(test).query("UPDATE host SET version = '0.0.9' WHERE id = ?", [
      both.find(({ answers }: { answers: boolean }) => !answers).id,
    ]);
    const warning = await found(test, 'hosts');
    expect(warning).toMatchObject({
      status: 'warning',
      code: kind === 'sqlite' ? 'hosts_on_sqlite' : 'hosts_differ',
      facts: { count: 2 },
    });
    expect(warning.details.join(' ')).toContain(`${hostname()} · pid ${process.pid} · 0.0.9`);
    // What stops leaves; what is silent has ended, or will be back.
    await other.close();
    expect(await hosts()).toHaveLength(1);
    test.clock.advance(3 * MINUTE);
    expect(await hosts()).toMatchObject([{ running: false, answers: true }]);
    await test.app.get(HostRecorder).beat();
    expect(await hosts()).toMatchObject([{ running: true }]);
    test.clock.advance(-3 * MINUTE);
  });

  it('forgets a host of this machine that was killed at the next start, others in a day', async () => {
    const now = test.clock.now();
    const add = (id: string, name: string, pid: number, seen: number): Promise<unknown> =>
      sql(test).query('INSERT INTO host VALUES (?, ?, ?, NULL, ?, ?)', [id, name, pid, now, seen]);
    await add('killed', hostname(), 2 ** 22 + 1, now);
    await add('elsewhere', 'other-machine', 2 ** 22 + 1, now);
    await add('yesterday', 'other-machine', 1, now - 25 * HOUR);
    await (await secondHub(test)).close();
    const rows = await sql(test).query("SELECT id FROM host WHERE name <> '' ORDER BY id");
    const ids = rows.map(({ id }: { id: string }) => id);
    expect(ids).toContain('elsewhere');
    expect(ids).toHaveLength(2);
    await sql(test).query("DELETE FROM host WHERE id = 'elsewhere'");
  });

  it('finds tickets that are late or too old, and a token that WeChat refuses', async () => {
    test.clock.advance(40 * MINUTE);
    const late = { status: 'warning', code: 'ticket_late', facts: { minutes: 40 } };
    expect(await found(test, 'ticket', PLATFORM)).toMatchObject(late);
    breakExchange(test, { kind: 'errcode', errcode: 40125 });
    test.clock.advance(75 * MINUTE);
    await tick(test);
    const failing = await found(test, 'token', PLATFORM);
    expect(failing).toMatchObject({ status: 'warning', code: 'token_failing' });
    expect(failing.seen).toContain('40125');
    expect(failing.remedy).toContain('AppSecret');
    test.clock.advance(13 * HOUR);
    const later = await examine(test);
    const codes = later.filter(
      ({ componentAppId }) => componentAppId === PLATFORM || componentAppId === null,
    );
    expect(Object.fromEntries(codes.map(({ id, code }) => [id, code]))).toMatchObject({
      ticket: 'ticket_expired',
      token: 'token_failed',
      credentials: 'credentials_refused',
      refused_pushes: 'refused_none',
      database_clock: { sqlite: 'database_clock_same', mysql: 'database_clock_off' }[kind],
    });
    expect(later.find(({ code }) => code === 'ticket_expired')?.status).toBe('failure');
  });

  it('is for those who may read', async () => {
    const headers = { authorization: 'Bearer wrong' };
    expect((await test.hub.request('GET', '/admin/doctor', { headers })).status).toBe(401);
  });
});

describe('what WeChat sees of a hub, and answers it', () => {
  let test: TestApp;
  let front: FrontProxy;
  beforeAll(async () => {
    front = await FrontProxy.open();
    test = await createTestApp({ database: 'sqlite', env: { PUBLIC_URL: front.url } });
    front.target = test.hub.url;
    await prime(test);
  });
  afterAll(async () => {
    await test?.close();
    await front?.close();
  });

  async function asked(): Promise<Record<string, string>> {
    const { status, json } = await test.hub.post('/admin/doctor');
    expect(status).toBe(200);
    return Object.fromEntries(json.checks.map(({ id, code }: Check) => [id, code]));
  }

  it.each<[FrontBehaviour, string, string, string]>([
    ['well', 'outside_ok', 'push_ok', 'admin_closed'],
    ['open', 'outside_ok', 'push_ok', 'admin_open'],
    ['redirect', 'way_redirect', 'way_redirect', 'admin_unknown'],
    ['no query', 'way_query', 'way_query', 'admin_closed'],
    ['no path', 'way_path', 'way_path', 'admin_closed'],
    ['banner', 'way_changed', 'way_changed', 'admin_closed'],
    ['bad gateway', 'way_refused', 'way_refused', 'admin_unknown'],
    ['cut', 'way_unreachable', 'way_unreachable', 'admin_closed'],
  ])('through a proxy that is %s', async (behaviour, outside, push, admin) => {
    front.behaviour = behaviour;
    expect(await asked()).toMatchObject({ outside, push, admin });
    front.behaviour = 'well';
  });

  it('calls WeChat with AppID, AppSecret and token, once a minute, and leaves a record', async () => {
    test.clock.advance(MINUTE);
    expect((await asked()).asked).toBe('asked_ok');
    expect((await asked()).asked).toBe('asked_too_soon');
    const { json } = await test.hub.get('/admin/audit?action=doctor.ask&limit=1');
    expect(json.records[0]).toMatchObject({ action: 'doctor.ask', outcome: 'ok' });
  });

  it.each([
    [40125, 'invalid appsecret', 'credentials_refused'],
    [61004, 'access clientip is not registered requestIP: 203.0.113.9 rid: 1', 'egress_refused'],
    [61028, 'component is not published', 'platform_unpublished'],
    [-1, 'system busy', 'asked_refused'],
  ])('says what %i means', async (errcode, errmsg, code) => {
    test.clock.advance(MINUTE);
    test.simulator.addFault({ path: START_PUSH, kind: 'errcode', errcode, errmsg });
    const { json } = await test.hub.post('/admin/doctor');
    repair(test);
    const check = json.checks.find(({ id }: Check) => id === 'asked');
    expect(check.code).toBe(code);
    if (code === 'egress_refused') expect(check.facts).toEqual({ address: '203.0.113.9' });
  });

  it('finds the address that WeChat refuses in the last exchange', async () => {
    const errmsg = 'access clientip is not registered requestIP: 203.0.113.9 rid: 1';
    breakExchange(test, { kind: 'errcode', errcode: 61004, errmsg });
    test.clock.advance(2 * HOUR);
    await tick(test);
    repair(test);
    const check = await found(test, 'egress', PLATFORM);
    expect(check).toMatchObject({ code: 'egress_refused', facts: { address: '203.0.113.9' } });
  });

  it('knows the proxy on the way out, and whether deliveries take it', async () => {
    const proxy = await ConnectProxy.open();
    const { host: name } = proxy;
    const looked = async (env: Record<string, string>): Promise<Check> => {
      const url = `http://fake-user:fake-password@${name}`;
      const other = await secondHub(test, { HTTP_PROXY: url, ...env });
      const check = await found(other, 'proxy');
      await other.close();
      expect(JSON.stringify(check)).not.toContain('fake-');
      return check;
    };
    const { host } = new URL(test.simulator.url);
    const details = [expect.stringContaining('directly')];
    const facts = { host, proxy: name };
    expect(await looked({})).toMatchObject({ code: 'proxy_ok', facts, details });
    const around = await looked({ NO_PROXY: '127.0.0.1' });
    expect(around).toMatchObject({ code: 'proxy_unused', facts: { host }, details });
    const gone = `the proxy ${name} cannot be reached: ECONNREFUSED`;
    await proxy.close();
    expect(await looked({ NO_PROXY: '127.0.0.1', DELIVERY_USE_PROXY: 'true' })).toMatchObject({
      code: 'proxy_unreachable',
      facts: { message: gone },
      details: [expect.stringContaining('through the proxy')],
    });
  });

  it('is asked by those who may operate', async () => {
    const made = await test.hub.post('/admin/api-keys', { name: 'r', scopes: ['admin:read'] });
    const headers = { authorization: `Bearer ${made.json.key}` };
    expect((await test.hub.request('GET', '/admin/doctor', { headers })).status).toBe(200);
    expect((await test.hub.request('POST', '/admin/doctor', { headers })).status).toBe(403);
  });
});

// A process that loads a thousand files beside other tests.
describe('node dist/doctor.js', { timeout: 90_000 }, () => {
  const authority = new TestAuthority();
  const folder = mkdtempSync(join(tmpdir(), 'hub-doctor-'));
  afterAll(() => {
    authority.remove();
    rmSync(folder, { recursive: true });
  });

  /** Runs it in an empty folder. */
  async function doctor(
    env: Record<string, string>,
    ...options: string[]
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [DOCTOR, ...options], {
      cwd: folder,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => streamText(stream));
    const [code] = await once(child, 'close');
    return { code, stdout: (await stdout) ?? '', stderr: (await stderr) ?? '' };
  }

  it('looks at a running hub by the same checks, through TLS', async () => {
    const front = await FrontProxy.open(authority.issue('front', 'IP:127.0.0.1'));
    const test = await createTestApp({ database: 'sqlite', env: { PUBLIC_URL: front.url } });
    front.target = test.hub.url;
    try {
      await prime(test);
      const env = hubEnvironment({
        DATABASE_URL: test.database.url,
        WECHAT_API_BASE_URL: test.simulator.url,
        PUBLIC_URL: front.url,
        NODE_EXTRA_CA_CERTS: authority.ca,
      });
      const trusting = await doctor(env);
      expect(trusting.stderr).toBe('');
      expect(trusting.code).toBe(2);
      const lines = trusting.stdout.trimEnd().split('\n');
      expect(lines).toHaveLength(CHECK_IDS.length);
      expect(
        lines.filter((line) => /^! outside: .* ends in [01] days → .* \[docs/.test(line)),
      ).toHaveLength(1);
      expect(trusting.stdout).not.toContain('\x1b');
      expect(trusting.stdout).toContain('✓ hosts: ');
      expect(trusting.stdout).not.toContain(ADMIN_TOKEN);
      // This process does not know the authority.
      expect(await found(test, 'outside')).toMatchObject({ status: 'failure', code: 'way_tls' });
    } finally {
      await test.close();
      await front.close();
    }
  });

  it('says what is broken, and does the other checks, without making anything', async () => {
    const broken = await doctor({ PORT: 'x', DATABASE_URL: 'oracle:x' }, '--json');
    const { checks } = JSON.parse(broken.stdout) as { checks: Check[] };
    const codes = Object.fromEntries(checks.map(({ id, code }) => [id, code]));
    expect(codes).toMatchObject({
      settings: 'settings_invalid',
      database: 'database_unreachable',
      schema: 'no_database',
      keys: 'keys_unusable',
      public_url: 'public_url_unset',
    });
    expect(checks[0]?.details.join()).toMatch(/PORT: must be.*DATABASE_URL: must be/);
    expect(broken.code).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
    const file = join(folder, '.env');
    writeFileSync(file, `MASTER_KEYS=${MASTER_KEY}\n`);
    chmodSync(file, 0o644);
    chmodSync(folder, 0o755);
    const absent = await doctor({ DATABASE_URL: 'mysql://u:p@127.0.0.1:9/x' });
    expect(absent.code).toBe(1);
    expect(absent.stdout).toContain(
      '✗ database: The database cannot be opened: nothing listens at',
    );
    // What others can read is said once.
    expect(absent.stdout).toContain('✓ settings: ');
    expect(absent.stdout).toMatch(/^! files: .*\n {4}\.env · 644$/m);
    expect(absent.stderr).toBe('');
    expect(readdirSync(folder)).toEqual(['.env']);
  });

  it('knows no other options', async () => {
    const { code, stdout } = await doctor({}, '--fix');
    expect([code, stdout.includes('--ask')]).toEqual([64, true]);
  });
});

it('has a heading for every check in both documents, and the links lead there', () => {
  for (const name of ['doctor.md', 'doctor.zh-CN.md']) {
    const text = readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');
    const headings = [...text.matchAll(/^### (\w+)$/gm)].map(([, id]) => id);
    expect(headings).toEqual([...CHECK_IDS]);
  }
});

describe.each(browsers())('the page of the doctor in %s', () => {
  it('checks when it is asked to, and shows what was seen and what to do', async () => {
    const test = await createTestApp({ database: 'sqlite' });
    const browser = await ConsoleBrowser.start();
    try {
      await addPlatform(test);
      const path = `/callback/${PLATFORM}/events?timestamp=1&nonce=2&msg_signature=x`;
      await test.hub.request('POST', path, { body: '<xml><Encrypt>x</Encrypt></xml>' });
      await test.app.get(RefusedPushes).flush();
      for (const [colorScheme, width] of LOOKS) {
        const viewport = { width, height: 900 };
        const permissions = ['clipboard-read', 'clipboard-write'];
        await browser.visit({ colorScheme, viewport, permissions }, async (page) => {
          const asked: string[] = [];
          page.on('request', (request) => asked.push(new URL(request.url()).pathname));
          await signInAt(page, `${test.hub.url}/console/doctor`);
          await page.getByText(zh.doctor.lead).waitFor();
          expect(asked).not.toContain('/admin/doctor');
          await page.getByRole('button', { name: zh.doctor.run }).click();
          const refused = page.locator('[data-check=refused_pushes]');
          await refused.getByText('1 × signature_invalid').waitFor();
          await refused.getByText(findings.refused_some?.remedy ?? '').waitFor();
          await page
            .locator('[data-check=public_url]')
            .getByText(zh.doctor.status.warning)
            .waitFor();
          expect(await page.locator('[data-check=ticket]').count()).toBe(2);
          expect(await faultsOf(page)).toEqual([]);
          expect(await overflow(page)).toBeLessThanOrEqual(0);
          await page.getByRole('button', { name: zh.doctor.markdown }).click();
          const markdown = await page.evaluate('navigator.clipboard.readText()');
          expect(markdown).toContain(`- ✗ **${zh.doctor.checks.ticket}** `);
          expect(markdown).toContain('`1 × signature_invalid · events ·');
          expect(asked.filter((one) => one === '/admin/doctor').length).toBe(1);
        });
      }
      await browser.visit(
        {},
        async (page) => {
          const answer = { status: 500, contentType: 'text/html', body: '<h1>no</h1>' };
          await page.route('**/admin/doctor', (route) => route.fulfill(answer));
          await signInAt(page, `${test.hub.url}/console/doctor`);
          await page.getByRole('button', { name: zh.doctor.run }).click();
          await page.getByRole('alert').waitFor();
        },
        /status of (401|500)/,
      );
    } finally {
      await browser.close();
      await test.close();
    }
  });
});
