import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  breakExchange,
  calls,
  EXCHANGE,
  HOUR,
  issued,
  repair,
  MINUTE,
  prime,
  SECOND,
  sql,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
const READERS = 200;

describe.each(databaseKinds())('the component_access_token on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  it('is got at once when the first ticket arrives, unasked', async () => {
    await test.simulator.pushTicket(appid);
    await test.simulator.waitForCall(EXCHANGE);
    const view = await eventually('a token in the hub', async () => {
      const { json } = await test.hub.token();
      return json.generation === 1 ? json : undefined;
    });
    expect(view).toMatchObject({ remainingSeconds: 7200, attempts: 0, lastError: null });
    expect((await test.hub.accessToken()).json).toEqual({
      component_access_token: issued(test),
      expires_in: 7200,
    });
    expect(calls(test)).toBe(1);
  });

  it('asked for before any ticket came is 503 with what to check, and WeChat is not called', async () => {
    for (const answer of [
      await test.hub.accessToken(),
      await test.hub.post(`/admin/tokens/${appid}/refresh`),
    ]) {
      expect(answer.status).toBe(503);
      expect(answer.json.error.code).toBe('ticket_missing');
      for (const hint of ['授权事件接收URL', `/callback/${appid}/events`, 'EncodingAESKey']) {
        expect(answer.json.error.message).toContain(hint);
      }
      expect(answer.json.error.message).toContain(`POST /admin/tickets/${appid}/start-push`);
    }
    await tick(test);
    expect(test.simulator.callSummary().total).toBe(0);
  });

  it(`is exchanged once for ${READERS} concurrent readers of an expired one`, async () => {
    await prime(test);
    test.clock.advance(3 * HOUR);
    breakExchange(test, { kind: 'delay', delayMs: 200, times: 1 });
    const answers = await Promise.all(
      Array.from({ length: READERS }, () => test.hub.accessToken()),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ json }) => json.component_access_token))).toEqual(
      new Set([issued(test)]),
    );
    expect(calls(test)).toBe(2);
  });

  it('is refreshed by a read at 1 h 50 min, and the reader does not wait for it', async () => {
    const old = await prime(test);
    test.clock.advance(110 * MINUTE - 1);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(old);
    expect(calls(test)).toBe(1);
    test.clock.advance(1);
    breakExchange(test, { kind: 'hang', times: 1 });
    expect((await test.hub.accessToken()).json).toEqual({
      component_access_token: old,
      expires_in: 600,
    });
    await test.simulator.waitForCall(EXCHANGE, { count: 2 });
    expect((await test.hub.accessToken()).json.component_access_token).toBe(old);
    test.simulator.release(EXCHANGE);
    const { json } = await eventually('the new token', async () => {
      const answer = await test.hub.accessToken();
      return answer.json.component_access_token === old ? undefined : answer;
    });
    expect(json).toEqual({ component_access_token: issued(test), expires_in: 7200 });
    expect(calls(test)).toBe(2);
  });

  it('is refreshed by the timer at 1 h 50 min, without a reader', async () => {
    await prime(test);
    test.clock.advance(110 * MINUTE - SECOND);
    await tick(test);
    expect(calls(test)).toBe(1);
    test.clock.advance(SECOND);
    await tick(test);
    expect(calls(test)).toBe(2);
    await tick(test);
    expect(calls(test)).toBe(2);
    expect((await test.hub.token()).json).toMatchObject({ generation: 2, remainingSeconds: 7200 });
  });

  it.each([
    { life: 7200, refreshAfter: 6600 },
    { life: 3000, refreshAfter: 2400 },
    { life: 60, refreshAfter: 30 },
  ])('has the life of $life s that WeChat gives it', async ({ life, refreshAfter }) => {
    test.simulator.updateComponent(appid, { tokenLifeSeconds: life });
    await prime(test);
    const { json } = await test.hub.token();
    expect(json.remainingSeconds).toBe(life);
    expect(Date.parse(json.expiresAt) - Date.parse(json.obtainedAt)).toBe(life * SECOND);
    expect(Date.parse(json.refreshAt) - Date.parse(json.obtainedAt)).toBe(refreshAfter * SECOND);
    for (const left of [life - 1, life - 2]) {
      test.clock.advance(SECOND);
      expect((await test.hub.accessToken()).json.expires_in).toBe(left);
    }
    test.clock.advance(refreshAfter * SECOND);
    await tick(test);
    expect((await test.hub.token()).json.remainingSeconds).toBe(life);
  });

  it('is served while it is valid and refreshing fails, then the failure is answered', async () => {
    const old = await prime(test);
    test.clock.advance(111 * MINUTE);
    breakExchange(test, { kind: 'http' });
    for (let minute = 111; minute < 120; minute += 1) {
      const { status, json } = await test.hub.accessToken();
      expect([status, json.component_access_token]).toEqual([200, old]);
      await tick(test);
      test.clock.advance(MINUTE);
    }
    const { json } = await test.hub.token();
    expect(json).toMatchObject({ generation: 1, remainingSeconds: 0 });
    // One a minute: the longest wait of this failure, give or take a fifth.
    expect(json.attempts).toBeGreaterThanOrEqual(7);
    expect(calls(test)).toBe(1 + json.attempts);
    expect(await test.hub.accessToken()).toMatchObject({
      status: 502,
      json: { error: { code: 'wechat_api_failed', kind: 'busy' } },
    });
    repair(test);
    test.clock.advance(2 * MINUTE);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });

  it('is replaced by a manual refresh, due or not and whatever the back-off', async () => {
    const old = await prime(test);
    const refreshed = await test.hub.post(`/admin/tokens/${appid}/refresh`);
    expect(refreshed).toMatchObject({ status: 200, json: { generation: 2, attempts: 0 } });
    expect(refreshed.text).not.toContain(issued(test));
    const { json } = await test.hub.accessToken();
    expect(json.component_access_token).toBe(issued(test));
    expect(json.component_access_token).not.toBe(old);
    test.clock.advance(10 * SECOND);
    breakExchange(test, { kind: 'errcode', errcode: 45009 });
    expect((await test.hub.post(`/admin/tokens/${appid}/refresh`)).json.error.errcode).toBe(45009);
    repair(test);
    test.clock.advance(10 * SECOND);
    expect(await test.hub.post(`/admin/tokens/${appid}/refresh`)).toMatchObject({
      status: 200,
      json: { generation: 3, attempts: 0, lastError: null, nextAttemptAt: null },
    });
  });

  it('is refreshed soon when the host that exchanged it is gone: WeChat may have ended it', async () => {
    await prime(test);
    // What a process leaves behind that is killed in a manual refresh, answered but not saved.
    await sql(test).query(
      'UPDATE component_access_token SET lease_owner = ?, lease_until = ? WHERE generation = 1',
      ['gone', test.clock.now() + 12 * SECOND],
    );
    test.clock.advance(11 * SECOND);
    await tick(test);
    expect(calls(test)).toBe(1);
    test.clock.advance(SECOND);
    await tick(test);
    expect(calls(test)).toBe(2);
    expect((await test.hub.token()).json.generation).toBe(2);
  });
});
