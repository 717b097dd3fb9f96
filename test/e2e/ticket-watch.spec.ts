import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { TicketPushService } from '../../src/ticket/ticket-push.service.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  addPlatform,
  calls,
  HOUR,
  issued,
  MINUTE,
  prime,
  SECOND,
  secondHub,
  sql,
  START_PUSH,
} from '../support/token-world.js';

const { appid } = COMPONENT;
const ON_DEMAND = `/admin/tickets/${appid}/start-push`;

/** What the timer does every minute, and the start does once. */
const watch = ({ app }: TestApp): Promise<void> => app.get(TicketPushService).watch();

describe.each(databaseKinds())('asking WeChat for tickets on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  const silence = (): void => test.simulator.updateComponent(appid, { pushUrl: null });

  /** At once where hosts share a database; in turn on SQLite, whose file belongs to one process. */
  async function byHosts<T>(works: (() => Promise<T>)[]): Promise<T[]> {
    if (kind === 'mysql') return Promise.all(works.map((work) => work()));
    const results: T[] = [];
    for (const work of works) results.push(await work());
    return results;
  }

  it('happens at the start without a ticket, and leads to a token by itself', async () => {
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(1);
    await eventually('a token', () => issued(test));
    expect((await test.hub.accessToken()).status).toBe(200);
    await watch(test);
    test.clock.advance(HOUR - SECOND);
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(1);
  });

  it('happens when the last ticket is older than 60 minutes, and not before', async () => {
    test.clock.advance(SECOND - (test.clock.now() % SECOND));
    await prime(test);
    test.clock.advance(60 * MINUTE);
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(0);
    test.clock.advance(MINUTE);
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(1);
    await test.simulator.waitForPush(appid, { count: 2 });
    expect((await test.hub.ticket()).json).toMatchObject({ ageSeconds: 0, stale: false });
  });

  it('happens once in 30 minutes over two hubs, as long as nothing comes', async () => {
    silence();
    const other = await secondHub(test);
    try {
      const asked: number[] = [];
      for (let minute = 0; minute <= 60; minute += 1) {
        const before = calls(test, START_PUSH);
        await byHosts([test, other, test].map((host) => () => watch(host)));
        if (calls(test, START_PUSH) > before) asked.push(minute);
        test.clock.advance(MINUTE);
      }
      expect(asked).toEqual([0, 30, 60]);
      expect(calls(test, START_PUSH)).toBe(3);
    } finally {
      await other.close();
    }
  });

  it('on demand happens at once, tells how WeChat was, and counts as the half hour’s', async () => {
    silence();
    expect(await test.hub.post(ON_DEMAND)).toMatchObject({ status: 200, json: { errmsg: 'ok' } });
    test.clock.advance(MINUTE);
    expect(await test.hub.post(ON_DEMAND)).toMatchObject({
      status: 200,
      json: { errmsg: 'in a normal state' },
    });
    expect(calls(test, START_PUSH)).toBe(2);
    test.clock.advance(29 * MINUTE);
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(2);
    test.clock.advance(MINUTE);
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(3);
  });

  it('on demand happens once a minute over two hubs, and tells when it may again', async () => {
    silence();
    const added = await addPlatform(test);
    const other = await secondHub(test);
    try {
      const hubs = [test.hub, other.hub, test.hub, other.hub, test.hub];
      const answers = await byHosts(hubs.map((hub) => () => hub.post(ON_DEMAND)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const refusals = answers.filter(({ status }) => status !== 200);
      const nextAttemptAt = new Date(test.clock.now() + MINUTE).toISOString();
      for (const answer of refusals) {
        expect(answer).toMatchObject({
          status: 429,
          json: { error: { code: 'start_push_too_soon', nextAttemptAt } },
        });
      }
      expect((await test.hub.post(`/admin/tickets/${added.appid}/start-push`)).status).toBe(200);
      test.clock.advance(MINUTE - 1);
      expect((await other.hub.post(ON_DEMAND)).status).toBe(429);
      test.clock.advance(1);
      expect((await other.hub.post(ON_DEMAND)).status).toBe(200);
      expect(calls(test, START_PUSH)).toBe(3);
    } finally {
      await other.close();
    }
  });

  it.each([10 * 24 * HOUR, HOUR])(
    'is not held up by a request from a clock that was %d ms ahead',
    async (ahead) => {
      silence();
      const set = () =>
        sql(test).query('UPDATE component SET start_push_at = ?', [test.clock.now() + ahead]);
      await set();
      expect((await test.hub.post(ON_DEMAND)).status).toBe(200);
      await set();
      await watch(test);
      expect(calls(test, START_PUSH)).toBe(2);
    },
  );

  it('on demand tells what WeChat says against it', async () => {
    test.simulator.addFault({ path: START_PUSH, kind: 'errcode', errcode: 61004, times: 1 });
    expect(await test.hub.post(ON_DEMAND)).toMatchObject({
      status: 502,
      json: { error: { code: 'wechat_api_failed', errcode: 61004, rid: expect.any(String) } },
    });
    const unknown = await test.hub.post('/admin/tickets/wx00000000000nobody/start-push');
    expect(unknown).toMatchObject({ status: 404, json: { error: { code: 'component_unknown' } } });
    await test.hub.patch(`/admin/components/${appid}`, { enabled: false });
    expect(await test.hub.post(ON_DEMAND)).toMatchObject({
      status: 403,
      json: { error: { code: 'component_disabled' } },
    });
    expect(calls(test, START_PUSH)).toBe(1);
  });

  it('happens for a ticket that cannot be read, and for the other platforms all the same', async () => {
    const other = await addPlatform(test);
    await prime(test);
    await prime(test, other.appid);
    await sql(test).query(
      'UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ? WHERE Cvt_AppId = ?',
      ['enc:v1:t1:AAAA', appid],
    );
    test.clock.advance(MINUTE);
    test.simulator.clearCalls();
    // The unreadable one counts as none at all; the other one is young.
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(1);
    await test.simulator.waitForPush(appid, { count: 2 });
    expect((await test.hub.ticket()).status).toBe(200);
    test.clock.advance(2 * HOUR);
    await sql(test).query(
      'UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ? WHERE Cvt_AppId = ?',
      ['enc:v1:t1:AAAA', appid],
    );
    await watch(test);
    expect(calls(test, START_PUSH)).toBe(3);
    await test.simulator.waitForPush(other.appid, { count: 2 });
  });

  it('does not happen for a platform that is disabled', async () => {
    await test.hub.patch(`/admin/components/${appid}`, { enabled: false });
    await watch(test);
    expect(test.simulator.callSummary().total).toBe(0);
  });
});
