import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RefusedPushRetention } from '../../src/callback/refused-push.retention.js';
import { RefusedPush } from '../../src/callback/refused-push.entity.js';
import { RefusedPushes } from '../../src/callback/refused-pushes.js';
import { LogBrake } from '../../src/common/log-brake.js';
import { rawRequest } from '../support/http-exchange.js';
import { storedState } from '../support/callback-state.js';
import {
  createTestDatabase,
  databaseKinds,
  type DatabaseKind,
  type TestDatabase,
} from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { showTime } from '../support/token-world.js';
import { logLines } from '../support/test-log-lines.js';

const { appid } = COMPONENT;
const DAY_MS = 24 * 3_600_000;
/** The test is a trusted proxy, and so chooses the addresses. */
const env = { TRUSTED_PROXIES: '127.0.0.1' };

type Row = Pick<RefusedPush, 'id' | 'url' | 'componentAppId' | 'code' | 'sourceAddress' | 'count'>;

/** A platform of its own for each test: what others left is not seen. */
let platforms = 0;
async function newPlatform(test: TestApp): Promise<string> {
  platforms += 1;
  const componentAppId = `wxrefused${String(platforms).padStart(7, '0')}`;
  const { appsecret: appSecret, token, encodingAesKey } = COMPONENT;
  const body = { componentAppId, appSecret, token, encodingAesKey };
  expect((await test.hub.post('/admin/components', body)).status).toBe(201);
  return componentAppId;
}

/** The rows of a platform, newest first, once everything is written. */
async function rowsOf(test: TestApp, component: string): Promise<Row[]> {
  await test.app.get(RefusedPushes).flush();
  const { json } = await test.hub.get(`/admin/refused-pushes?component=${component}&limit=200`);
  return json.refusedPushes;
}

function forged(test: TestApp, platform: string, from = '192.0.2.1'): Promise<Answer> {
  const query = 'timestamp=1&nonce=2&msg_signature=fake-leaky';
  return test.hub.request('POST', `/callback/${platform}/events?${query}`, {
    headers: { 'x-forwarded-for': from },
    body: '<xml><Encrypt>fake-leaky</Encrypt></xml>',
  });
}

function address(index: number): string {
  return `198.51.${Math.floor(index / 250)}.${(index % 250) + 1}`;
}

describe.each(databaseKinds())('refused pushes on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind, env });
  });
  afterAll(() => test.close());

  it('are kept with what helps to find the reason, and nothing that was sent', async () => {
    const platform = await newPlatform(test);
    const path = `/callback/${platform}`;
    const push = test.simulator.buildTicketPush(appid);
    const cases: [string, string, string, string][] = [
      ['POST', `${path}/events?${push.query}`, 'events', 'appid_mismatch'],
      ['POST', `${path}/messages/wxfedcba9876543210?${push.query}`, 'messages', 'appid_mismatch'],
      ['POST', `${path}/EVENTS/?timestamp=1`, 'events', 'parameter_missing'],
      ['GET', `${path}/events?echostr=fake-leaky`, 'events', 'parameter_missing'],
      ['POST', `${path}/event?fake-leaky`, 'other', 'not_found'],
      ['PUT', `${path}/events`, 'other', 'not_found'],
      ['POST', `${path}/messages?${push.query}`, 'other', 'not_found'],
      ['POST', `//callback//${platform}//`, 'other', 'not_found'],
      ['POST', `/CALLBACK/${platform}/fake-leaky`, 'other', 'not_found'],
      ['POST', `${path}/messages/%zz`, 'other', 'bad_request'],
      ['POST', `${path}/messages/${'x'.repeat(200)}`, 'other', 'uri_too_long'],
    ];
    for (const [method, url] of cases) {
      const headers = { 'x-forwarded-for': '2001:db8:1:2:3::4' };
      const body = method === 'GET' ? '' : push.body;
      await rawRequest(test.hub.url, { method, path: url, headers, body });
    }
    await rawRequest(test.hub.url, { path: `${path}/events`, body: 'x'.repeat(2 ** 21) });
    const counts = new Map<string, number>();
    for (const [, , url, code] of cases) {
      counts.set(`${url} ${code}`, (counts.get(`${url} ${code}`) ?? 0) + 1);
    }
    counts.set('events body_too_large', 1);
    const rows = await rowsOf(test, platform);
    expect(Object.fromEntries(rows.map((row) => [`${row.url} ${row.code}`, row.count]))).toEqual(
      Object.fromEntries(counts),
    );
    const large = rows.find(({ code }) => code === 'body_too_large');
    expect(large?.sourceAddress).toBe('127.0.0.1');
    const others = rows.filter((row) => row !== large).map((row) => row.sourceAddress);
    expect(new Set(others)).toEqual(new Set(['2001:db8:1:2::/64']));
    const stored = await test.app.get(DataSource).query('SELECT * FROM refused_push');
    expect(JSON.stringify(stored)).not.toContain('fake-leaky');
    const lines = logLines(platform).filter(({ level }) => level !== 'debug');
    const codes = [...new Set(rows.map(({ code }) => code))];
    expect(new Set(lines.map(({ code }) => code))).toEqual(new Set([...codes, undefined]));
    expect(JSON.stringify(lines)).not.toContain('fake-leaky');
    expect((await storedState(test)).events).toEqual([]);
  });

  it('name no platform that is not registered', async () => {
    await forged(test, 'wxnobodyknowsthis', '192.0.2.77');
    await test.app.get(RefusedPushes).flush();
    const { json } = await test.hub.get('/admin/refused-pushes');
    const row = json.refusedPushes.find((each: Row) => each.sourceAddress === '192.0.2.77');
    expect(row).toMatchObject({ url: 'events', componentAppId: null, code: 'component_unknown' });
    expect(JSON.stringify(json)).not.toContain('wxnobodyknowsthis');
  });

  it('are counted in one row for an hour, the first at once', async () => {
    const platform = await newPlatform(test);
    await forged(test, platform);
    await expect
      .poll(async () => {
        const { json } = await test.hub.get(`/admin/refused-pushes?component=${platform}`);
        return json.refusedPushes.map(({ count }: Row) => count);
      })
      .toEqual([1]);
    for (const _ of [1, 2, 3]) await forged(test, platform);
    test.clock.advance(59_000);
    const [row] = await rowsOf(test, platform);
    expect(row).toMatchObject({ url: 'events', code: 'signature_invalid', count: 4 });
    test.clock.advance(3_600_000);
    await rowsOf(test, platform);
    await forged(test, platform);
    const rows = await rowsOf(test, platform);
    expect(rows.map(({ count }) => count)).toEqual([1, 4]);
    const { text } = await test.hub.get('/metrics');
    const labels = `component="${platform}",url="events",code="signature_invalid"`;
    expect(text).toContain(`hub_callback_refused_total{${labels}} 5`);
  });

  it('are listed in pages that stay the same while more come', async () => {
    const platform = await newPlatform(test);
    for (let index = 0; index < 5; index += 1) await forged(test, platform, address(index));
    const all = await rowsOf(test, platform);
    expect(all).toHaveLength(5);
    const pages: string[] = [];
    let next = '';
    for (let page = 0; page < 3; page += 1) {
      const list = `/admin/refused-pushes?component=${platform}&limit=2${next}`;
      const { json } = await test.hub.get(list);
      pages.push(...json.refusedPushes.map(({ id }: Row) => id));
      next = `&before=${json.next}`;
      await forged(test, platform, address(100 + page));
      await test.app.get(RefusedPushes).flush();
    }
    expect(pages).toEqual(all.map(({ id }) => id));
  });

  it('of a flood cost few rows and few lines, from however many senders they come', async () => {
    const platform = await newPlatform(test);
    // Every sender from before is forgotten.
    for (const _ of [1, 2]) test.app.get(LogBrake).flush();
    await test.app.get(RefusedPushes).flush();
    const before = logLines('signature_invalid').length;
    const SENT = 600;
    const indexes = Array.from({ length: SENT }, (_, index) => index).values();
    const worker = async (): Promise<void> => {
      // Half of them from one sender.
      for (const index of indexes) await forged(test, platform, address(index % 2 && index));
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    await test.app.get(RefusedPushes).flush();
    const rows = await test.app
      .get(DataSource)
      .getRepository(RefusedPush)
      .findBy({ componentAppId: platform });
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(SENT);
    expect(rows.length).toBe(201);
    expect(rows.find(({ sourceAddress }) => sourceAddress === 'other')?.count).toBe(101);
    test.app.get(LogBrake).flush();
    const logged = logLines('signature_invalid').slice(before);
    // Five senders and all others together, each with the first and the rest.
    expect(logged.length).toBeLessThanOrEqual(12);
    const counted = logged.map(({ repeated }) => Number(repeated ?? 1));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(SENT);
  });

  it('are removed after their time, and the oldest where there are too many', async () => {
    const platform = await newPlatform(test);
    await forged(test, platform);
    expect(await rowsOf(test, platform)).toHaveLength(1);
    await addRows(test, platform, 10_400);
    const sweep = () => test.app.get(RefusedPushRetention).sweep();
    await sweep();
    const count = () => test.app.get(DataSource).getRepository(RefusedPush).count();
    expect(await count()).toBe(10_000);
    expect(await rowsOf(test, platform)).not.toEqual([]);
    test.clock.advance(8 * DAY_MS);
    await test.app.get(RefusedPushes).flush();
    await sweep();
    // The machine's clock alone removes nothing.
    expect(await count()).toBe(10_000);
    await showTime(test);
    await sweep();
    expect(await count()).toBe(0);
  });
});

async function addRows(test: TestApp, componentAppId: string, count: number): Promise<void> {
  const now = test.clock.now();
  const rows = Array.from({ length: count }, (_, index) => ({
    id: `0000${String(index).padStart(8, '0')}`,
    url: 'events' as const,
    componentAppId,
    code: 'signature_invalid',
    sourceAddress: '192.0.2.9',
    count: 1,
    firstAt: now,
    lastAt: now,
  }));
  const repository = test.app.get(DataSource).getRepository(RefusedPush);
  await repository.save(rows, { chunk: 1000, reload: false }).catch(() => undefined);
}

describe.each<DatabaseKind>(databaseKinds())('a hub on %s that stops', (kind) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
  });
  afterAll(() => database.drop());

  it('writes what it has counted of refused pushes', async () => {
    const first = await createTestApp({ database, env });
    const platform = await newPlatform(first);
    for (const _ of [1, 2, 3]) await forged(first, platform);
    await first.close();
    const second = await createTestApp({ database, env });
    const { json } = await second.hub.get(`/admin/refused-pushes?component=${platform}`);
    expect(json.refusedPushes.map(({ count }: Row) => count)).toEqual([3]);
    await second.close();
  });
});
