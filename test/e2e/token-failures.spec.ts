import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REQUEST_IP } from '../../simulator/wechat-error.js';
import type { FaultSpec } from '../../simulator/fault-plan.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import {
  breakExchange,
  calls,
  HOUR,
  issued,
  repair,
  MINUTE,
  prime,
  SECOND,
  sql,
  START_PUSH,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
/** Reads by which a tight loop would show. */
const READS = 25;
/** rid as WeChat forms it. */
const RID = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/;
/** The wording of 40164; that of 61004 is the simulator's. */
const IP_REFUSAL = `invalid ip ${REQUEST_IP} ipv6 ::ffff:${REQUEST_IP}, not in whitelist`;
const MOST_JITTER = 1.2;

interface Case {
  fault: FaultSpec;
  kind: string;
  /** WeChat's errcode; absent where no readable answer comes. */
  errcode?: number;
  /** Seconds before the second try, before jitter. */
  wait: number;
  operator: boolean;
  /** Part of the error's text. */
  says: string;
}

const CASES: [string, Case][] = [
  refusal(61005, 'ticket', 60, false, 'component ticket is expired'),
  refusal(61006, 'ticket', 60, false, 'component ticket is invalid'),
  refusal(40125, 'secret', 60, true, 'invalid appsecret'),
  refusal(40001, 'token', 60, true, 'invalid credential'),
  refusal(61004, 'ip', 60, true, `add ${REQUEST_IP} to the platform's IP white list`),
  refusal(40164, 'ip', 60, true, `add ${REQUEST_IP} to the platform's IP white list`, IP_REFUSAL),
  refusal(-1, 'busy', 2, false, 'system error'),
  refusal(48004, 'banned', 600, true, '48004'),
  failure('HTTP 502', { kind: 'http', status: 502 }, 'busy', 2, 'HTTP 502'),
  failure('an HTML page', { kind: 'garbage' }, 'garbage', 5, 'not an answer'),
  failure('an empty body', { kind: 'empty' }, 'garbage', 5, 'not an answer'),
  failure('an empty object', { kind: 'empty_object' }, 'garbage', 5, 'not an answer'),
  failure('JSON that is cut off', { kind: 'truncate' }, 'network', 2, 'failed: '),
  failure('a connection that is reset', { kind: 'reset' }, 'network', 2, 'failed: ECONNRESET'),
  failure('no answer in time', { kind: 'hang' }, 'network', 2, 'did not answer in time'),
];

describe.each(databaseKinds())('an exchange that fails on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind, env: { WECHAT_API_TIMEOUT_MS: '1000' } });
  });
  afterEach(() => test.close());

  it.each(CASES)('by %s is answered, waited for and got over', async (_, one) => {
    await prime(test);
    const before = (await test.hub.token()).json;
    test.clock.advance(3 * HOUR);
    breakExchange(test, one.fault);
    // A push that start-push may bring would end the wait for a ticket.
    test.simulator.addFault({ path: START_PUSH, kind: 'errcode', errcode: -1 });

    const { status, json } = await test.hub.accessToken();
    expect(status).toBe(502);
    expectError(json.error, one);
    const asked = calls(test);
    const view = (await test.hub.token()).json;
    expectOldTokenKept(view, before);
    expectRecordedFailure(view, one, test.clock.now());

    await readsThatMustNotCall(test);
    test.clock.advance(Date.parse(view.nextAttemptAt) - test.clock.now() - 1);
    await readsThatMustNotCall(test);
    expect(calls(test)).toBe(asked);

    repair(test);
    test.clock.advance(1);
    await tick(test);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
    expect((await test.hub.token()).json).toMatchObject({
      generation: 2,
      attempts: 0,
      lastError: null,
      nextAttemptAt: null,
    });
  });

  it('by the daily quota is not tried again before midnight in Beijing', async () => {
    await prime(test);
    test.clock.advance(3 * HOUR);
    breakExchange(test, { kind: 'errcode', errcode: 45009 });
    expect((await test.hub.accessToken()).json.error).toMatchObject({ errcode: 45009 });
    const { nextAttemptAt, lastError } = (await test.hub.token()).json;
    expect(lastError).toMatchObject({ kind: 'quota', errcode: 45009, operator: true });
    const sinceMidnight = (Date.parse(nextAttemptAt) + 8 * HOUR) % (24 * HOUR);
    expect(sinceMidnight).toBeLessThanOrEqual(5 * MINUTE);
    while (test.clock.now() + HOUR < Date.parse(nextAttemptAt)) {
      test.clock.advance(HOUR);
      await test.simulator.pushTicket(appid);
      await tick(test);
    }
    expect(calls(test)).toBe(2);
    repair(test);
    test.clock.advance(HOUR);
    await tick(test);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });

  it('longer than once is tried ever more rarely, up to a limit', async () => {
    await prime(test);
    test.clock.advance(3 * HOUR);
    breakExchange(test, { kind: 'errcode', errcode: -1 });
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt += 1) {
      await tick(test);
      const { attempts, nextAttemptAt } = (await test.hub.token()).json;
      expect(attempts).toBe(attempt);
      waits.push((Date.parse(nextAttemptAt) - test.clock.now()) / SECOND);
      test.clock.advance(Date.parse(nextAttemptAt) - test.clock.now());
    }
    waits.forEach((wait, index) => {
      const expected = Math.min(2 * 2 ** index, 60);
      expect(wait).toBeGreaterThanOrEqual(expected * 0.8);
      expect(wait).toBeLessThanOrEqual(expected * MOST_JITTER);
    });
  });

  it('with what was sent in its text tells it without the secrets', async () => {
    await prime(test);
    const { componentVerifyTicket } = (await test.hub.ticket()).json;
    const errmsg = `no ${COMPONENT.appsecret} for ${componentVerifyTicket}, ${appid}`;
    breakExchange(test, { kind: 'errcode', errcode: 40125, errmsg });
    const answers = [await test.hub.post(`/admin/tokens/${appid}/refresh`), await test.hub.token()];
    for (const { text } of answers) {
      expect(text).toContain(`no [secret] for [secret], ${appid}`);
      expect(text).not.toContain(COMPONENT.appsecret);
      expect(text).not.toContain(componentVerifyTicket);
    }
  });

  it('with four fifths of a secret in its text tells it nowhere', async () => {
    await prime(test);
    const { appsecret } = COMPONENT;
    const most = appsecret.slice(0, Math.ceil(0.8 * appsecret.length));
    const foreign = 'refreshtoken@@@fake-one-that-nobody-sent';
    const errmsg = `not ${most}, ${foreign} run ${randomUUID()}`;
    const said = `not [secret], [secret] run [secret]`;
    breakExchange(test, { kind: 'errcode', errcode: 40125, errmsg });
    test.simulator.addFault({ path: START_PUSH, kind: 'errcode', errcode: 0, errmsg });
    const refused = await test.hub.post(`/admin/tokens/${appid}/refresh`);
    const startPush = await test.hub.post(`/admin/tickets/${appid}/start-push`);
    expect(refused.json.error.errmsg).toContain(said);
    expect(startPush.json.errmsg).toContain(said);
    const [row] = await sql(test).query('SELECT last_error FROM component_access_token');
    const logged = logLines(refused.json.error.rid);
    expect(logged).not.toHaveLength(0);
    const places = [refused.text, startPush.text, (await test.hub.token()).text, row.last_error];
    for (const text of [...places, JSON.stringify(logged)]) {
      expect(text).toContain('[secret]');
      expect(text).not.toContain(most.slice(0, 12));
      expect(text).not.toContain('nobody-sent');
    }
  });

  it('only by its content type has not failed', async () => {
    breakExchange(test, { kind: 'text_plain' });
    const token = await prime(test);
    expect(token).toBe(issued(test));
    expect((await test.hub.token()).json).toMatchObject({ attempts: 0, lastError: null });
  });
});

function refusal(
  errcode: number,
  kind: string,
  wait: number,
  operator: boolean,
  says: string,
  errmsg?: string,
): [string, Case] {
  const fault: FaultSpec = { kind: 'errcode', errcode, ...(errmsg && { errmsg }) };
  return [`errcode ${errcode}`, { fault, kind, errcode, wait, operator, says }];
}

function failure(
  name: string,
  fault: FaultSpec,
  kind: string,
  wait: number,
  says: string,
): [string, Case] {
  return [name, { fault, kind, wait, operator: false, says }];
}

function expectError(error: Record<string, unknown>, { kind, errcode, says }: Case): void {
  expect(error).toMatchObject({ code: 'wechat_api_failed', kind });
  expect(error.message).toContain(says);
  expect(error.errcode).toBe(errcode);
  if (errcode !== undefined) expect(error.rid).toMatch(RID);
  expect(error.clientIp).toBe(kind === 'ip' ? REQUEST_IP : undefined);
}

function expectOldTokenKept(view: Record<string, unknown>, before: Record<string, unknown>): void {
  for (const field of ['componentAccessToken', 'generation', 'obtainedAt', 'expiresAt']) {
    expect(view[field]).toEqual(before[field]);
  }
}

function expectRecordedFailure(
  view: { attempts: number; nextAttemptAt: string; lastError: Record<string, unknown> },
  { kind, errcode, wait, operator, says }: Case,
  now: number,
): void {
  expect(view.attempts).toBe(1);
  expect(view.lastError).toMatchObject({ code: 'wechat_api_failed', kind, operator });
  expect(view.lastError.message).toContain(says);
  expect(view.lastError.errcode).toBe(errcode);
  expect(view.lastError.advice).not.toBe('');
  expect(Date.parse(view.lastError.at as string)).toBe(now);
  const waited = (Date.parse(view.nextAttemptAt) - now) / SECOND;
  expect(waited).toBeGreaterThanOrEqual(wait * 0.8);
  expect(waited).toBeLessThanOrEqual(wait * MOST_JITTER);
}

/** Reads, timers and reports in the back-off: all are answered from the record. */
async function readsThatMustNotCall(test: TestApp): Promise<void> {
  const before = calls(test);
  const answers = await Promise.all(Array.from({ length: READS }, () => test.hub.accessToken()));
  for (const { status, json } of answers) {
    expect(status).toBe(502);
    expect(json.error).toMatchObject({
      code: 'wechat_api_failed',
      advice: expect.any(String),
      nextAttemptAt: expect.any(String),
    });
  }
  await tick(test);
  expect(calls(test)).toBe(before);
}
