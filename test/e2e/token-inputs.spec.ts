import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { CredentialUses } from '../../src/component/credential-uses.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  breakExchange,
  calls,
  EXCHANGE,
  HOUR,
  issued,
  MINUTE,
  prime,
  SECOND,
  START_PUSH,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
const NEW_SECRET = 'fake-secret-after-the-rotation-01';

describe.each(databaseKinds())('the ticket of an exchange on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
    await prime(test);
  });
  afterEach(() => test.close());

  /**
   * Tickets that WeChat will refuse, one a minute, above those that are there. Asked to push more,
   * WeChat then says yes and nothing comes.
   */
  async function pushUnknownTickets(count: number): Promise<void> {
    for (let pushed = 0; pushed < count; pushed += 1) {
      test.clock.advance(MINUTE);
      await test.simulator.pushTicket(appid, { issued: false });
    }
    test.simulator.updateComponent(appid, { pushUrl: null });
    test.clock.advance(3 * HOUR);
    test.simulator.clearCalls();
  }

  it('that WeChat refuses is followed by earlier ones, newest first', async () => {
    await pushUnknownTickets(3);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
    expect(test.simulator.callSummary().paths).toMatchObject({
      [EXCHANGE]: { arrived: 4, answered: { '61006': 3, '0': 1 } },
    });
    expect(calls(test, START_PUSH)).toBe(0);
  });

  it('is followed by five earlier ones at most, then WeChat is asked to push', async () => {
    await pushUnknownTickets(8);
    const { status, json } = await test.hub.accessToken();
    expect([status, json.error.errcode]).toEqual([502, 61006]);
    expect(calls(test)).toBe(6);
    expect(calls(test, START_PUSH)).toBe(1);
  });

  it('is not followed by one that is older than 12 hours', async () => {
    test.clock.advance(12 * HOUR);
    await pushUnknownTickets(1);
    expect((await test.hub.accessToken()).json.error.errcode).toBe(61006);
    expect(calls(test)).toBe(1);
  });

  it('that is refused for hours makes the hub ask for a push once in 30 minutes', async () => {
    await pushUnknownTickets(6);
    for (let minute = 0; minute < 91; minute += 1) {
      await tick(test);
      test.clock.advance(MINUTE);
    }
    const asked = test.simulator.callSummary().last.filter(({ path }) => path === START_PUSH);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    for (const [index, { atMs }] of asked.slice(1).entries()) {
      expect(atMs - (asked[index]?.atMs ?? 0)).toBeGreaterThanOrEqual(30 * MINUTE);
    }
    // 60 s, doubled to 10 minutes, give or take a fifth; six tickets each.
    const { attempts } = (await test.hub.token()).json;
    expect(attempts).toBeLessThanOrEqual(13);
    expect(calls(test)).toBe(6 * attempts);
  });

  it('that was refused is forgotten when a new one arrives: it is tried at once', async () => {
    await pushUnknownTickets(6);
    expect((await test.hub.accessToken()).status).toBe(502);
    test.simulator.updateComponent(appid, { pushUrl: `${test.hub.url}/callback/${appid}/events` });
    await test.simulator.pushTicket(appid);
    const { json } = await eventually('the token', async () => {
      const answer = await test.hub.accessToken();
      return answer.status === 200 ? answer : undefined;
    });
    expect(json.component_access_token).toBe(issued(test));
    expect((await test.hub.token()).json).toMatchObject({ attempts: 0, lastError: null });
  });

  it('that arrives while the one before it is being refused is used at once', async () => {
    await pushUnknownTickets(6);
    test.simulator.addFault({ path: START_PUSH, kind: 'hang', times: 1 });
    const reader = test.hub.accessToken();
    await test.simulator.waitForCall(START_PUSH);
    test.simulator.updateComponent(appid, { pushUrl: `${test.hub.url}/callback/${appid}/events` });
    await test.simulator.pushTicket(appid);
    test.simulator.updateComponent(appid, { pushUrl: null });
    test.simulator.release(START_PUSH);
    expect((await reader).status).toBe(502);
    await eventually('the token', () => issued(test));
    await eventually('its record', async () =>
      (await test.hub.token()).json.generation === 2 ? true : undefined,
    );
    expect(calls(test)).toBe(7);
  });

  it('that is older than 12 hours is not sent: there is no ticket, and WeChat is not called', async () => {
    test.clock.advance(12 * HOUR);
    test.simulator.clearCalls();
    const { status, json } = await test.hub.accessToken();
    expect([status, json.error.code]).toEqual([503, 'ticket_missing']);
    expect(json.error.message).toContain('older than 12 hours');
    expect(test.simulator.callSummary().total).toBe(0);
    await prime(test);
  });

  it('serves while it lives: 11 hours without a push cost nothing', async () => {
    for (let hours = 0; hours < 11; hours += 1) {
      test.clock.advance(HOUR);
      await tick(test);
      expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
    }
  });
});

describe.each(databaseKinds())('the AppSecret of an exchange on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind, env: { PREVIOUS_KEY_HOURS: '6' } });
    await prime(test);
    test.clock.advance(MINUTE);
    test.simulator.clearCalls();
  });
  afterEach(() => test.close());

  const changeInHub = () => test.hub.patch(`/admin/components/${appid}`, { appSecret: NEW_SECRET });
  const changeAtWechat = () => test.simulator.updateComponent(appid, { appsecret: NEW_SECRET });
  const refresh = () => test.hub.post(`/admin/tokens/${appid}/refresh`);

  it('may be changed in the hub first: the one before is tried', async () => {
    expect((await changeInHub()).status).toBe(200);
    expect(await refresh()).toMatchObject({ status: 200, json: { generation: 2, attempts: 0 } });
    expect(calls(test)).toBe(2);
    expect(await test.hub.post(`/admin/tickets/${appid}/start-push`)).toMatchObject({
      status: 200,
    });
    changeAtWechat();
    test.clock.advance(10 * SECOND);
    expect((await refresh()).status).toBe(200);
    expect(calls(test)).toBe(3);
  });

  it('is no longer tried when WeChat has taken the new one for PREVIOUS_KEY_HOURS', async () => {
    await changeInHub();
    // However long it takes: WeChat takes the old one.
    test.clock.advance(10 * HOUR);
    expect((await refresh()).status).toBe(200);
    changeAtWechat();
    await test.hub.push(test.simulator.buildTicketPush(appid));
    for (let hours = 0; hours <= 6; hours += 2) {
      test.clock.advance(2 * HOUR);
      expect((await refresh()).status).toBe(200);
      await test.app.get(CredentialUses).idle();
    }
    const { json } = await test.hub.get(`/admin/components/${appid}`);
    expect(json.appSecret).toMatchObject({
      lastUsedAt: new Date(test.clock.now()).toISOString(),
      previous: [],
    });
    test.simulator.updateComponent(appid, { appsecret: COMPONENT.appsecret });
    test.clock.advance(10 * SECOND);
    test.simulator.clearCalls();
    expect(await refresh()).toMatchObject({ status: 502, json: { error: { errcode: 40125 } } });
    expect(calls(test)).toBe(1);
  });

  it('may be changed at WeChat first: the token is served, and the change ends the wait', async () => {
    const old = issued(test);
    changeAtWechat();
    test.clock.advance(112 * MINUTE);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await tick(test);
      const waits = Date.parse((await test.hub.token()).json.nextAttemptAt) - test.clock.now();
      test.clock.advance(attempt < 2 ? waits : SECOND);
    }
    expect((await test.hub.accessToken()).json.component_access_token).toBe(old);
    const { lastError, nextAttemptAt } = (await test.hub.token()).json;
    expect(lastError).toMatchObject({ kind: 'secret', errcode: 40125, operator: true });
    expect(Date.parse(nextAttemptAt)).toBeGreaterThan(test.clock.now());
    await changeInHub();
    await tick(test);
    expect((await test.hub.token()).json).toMatchObject({ generation: 2, attempts: 0 });
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });

  it('refused as 40001 is treated as a wrong one, too', async () => {
    await changeInHub();
    breakExchange(test, { kind: 'errcode', errcode: 40001, times: 1 });
    expect((await refresh()).status).toBe(200);
    expect(calls(test)).toBe(2);
  });
});
