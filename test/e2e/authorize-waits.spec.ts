import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FaultSpec } from '../../simulator/fault-plan.js';
import { CODE_LEASE_MS } from '../../src/authorization/authorization-code.store.js';
import { VISITOR_LIMITS } from '../../src/authorization/authorization-limit.js';
import { VISITOR_WAITS } from '../../src/authorization/code-visitors.js';
import {
  authorizerHub,
  authorizerTick,
  breakPath,
  calls,
  comeBack,
  newAccount,
  pass,
  PLATFORM,
  QUERY_AUTH,
  resultOf,
  tokenOf,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, repair, MINUTE, secondHub, sql } from '../support/token-world.js';
import { getFrom } from '../support/visitors.js';

const VISITS = 30;
/** More than a process has room for. */
const CONNECTIONS = 290;
const BUSY: FaultSpec = { kind: 'errcode', errcode: -1 };

describe.each(databaseKinds())('codes that come back while WeChat is unwell, on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    // What earlier tests have left pending is given up, and what they have cost is forgotten.
    await pass(test, 26 * HOUR);
    await authorizerTick(test);
    test.simulator.clearCalls();
  });
  afterEach(() => repair(test));

  const consent = async (): Promise<{ account: string; code: string }> => {
    const account = newAccount(test);
    return {
      account,
      ...(await test.simulator.accounts.authorize(PLATFORM, account, { push: false })),
    };
  };
  const pathOf = (code: string): string =>
    `/authorize/${PLATFORM}/callback?auth_code=${encodeURIComponent(code)}`;
  const ended = async (account: string): Promise<boolean> =>
    (await tokenOf(test, account)).status === 200;

  it.each([
    ['errcode -1', BUSY],
    ['errcode 45011', { kind: 'errcode', errcode: 45011 }],
    ['errcode 45009', { kind: 'errcode', errcode: 45009 }],
    ['errcode 40029', { kind: 'errcode', errcode: 40029 }],
    ['errcode 47001', { kind: 'errcode', errcode: 47001 }],
    ['HTTP 502', { kind: 'http', status: 502 }],
  ] as [string, FaultSpec][])(
    'cost one call after %s, however often they come and from where',
    async (what, fault) => {
      const code = `made-up ${what}`;
      breakPath(test, QUERY_AUTH, fault);
      const results: (string | undefined)[] = [];
      for (let visit = 0; visit < VISITS; visit += 1) {
        results.push(resultOf(await comeBack(test, code)));
        if (visit % 10 > 0) continue;
        await authorizerTick(test);
        await getFrom('127.0.0.2', test.hub.url + pathOf(code));
      }
      expect(results).toEqual(Array.from({ length: VISITS }, () => 'pending'));
      expect(calls(test, QUERY_AUTH)).toBe(1);
    },
  );

  it('wait for the back-off also where their event comes, and end by the timer', async () => {
    breakPath(test, QUERY_AUTH, BUSY);
    const account = newAccount(test);
    const { code, event } = await test.simulator.accounts.authorize(PLATFORM, account, {
      push: false,
    });
    await comeBack(test, code);
    repair(test);
    if (!event) throw new Error('WeChat sends no event');
    expect((await test.hub.push(event)).text).toBe('success');
    expect(resultOf(await comeBack(test, code))).toBe('pending');
    expect(calls(test, QUERY_AUTH)).toBe(1);
    test.clock.advance(MINUTE);
    await authorizerTick(test);
    expect(resultOf(await comeBack(test, code))).toBe('authorized');
    expect(calls(test, QUERY_AUTH)).toBe(2);
  });

  it.each(['this host', 'another host'])(
    'cost their visitor nothing once they turn out real, at %s',
    async (where) => {
      const other = where === 'this host' ? undefined : await secondHub(test);
      for (let round = 0; round < 2; round += 1) {
        breakPath(test, QUERY_AUTH, BUSY);
        const accounts: string[] = [];
        for (let n = 0; n < VISITOR_LIMITS.burst; n += 1) {
          const { account, code } = await consent();
          accounts.push(account);
          expect(resultOf(await comeBack(test, code))).toBe('pending');
        }
        repair(test);
        test.clock.advance(MINUTE);
        if (other) await authorizerTick(other);
        await authorizerTick(test);
        for (const account of accounts) expect(await ended(account)).toBe(true);
      }
      await other?.close();
    },
  );

  it('leave room for everybody else, however many connections bring one', async () => {
    breakPath(test, QUERY_AUTH, BUSY);
    const { account, code } = await consent();
    await comeBack(test, code);
    repair(test);
    // As if another host were at it, and took its time.
    await sql(test).query(
      "UPDATE authorization_code SET last_error = NULL, lease_owner = 'other', lease_until = ? " +
        "WHERE state = 'pending'",
      [test.clock.now() + CODE_LEASE_MS],
    );
    const waits: number[] = [];
    const visit = async (): Promise<string | number | undefined> => {
      const started = performance.now();
      const answer = await comeBack(test, code);
      waits.push(performance.now() - started);
      return resultOf(answer) ?? answer.status;
    };
    const visits = Array.from({ length: CONNECTIONS }, visit);
    await Promise.race(visits);
    for (const path of ['/health/ready', '/admin/components']) {
      expect((await test.hub.get(path)).status).toBe(200);
    }
    const page = await getFrom('127.0.0.2', `${test.hub.url}/authorize/${PLATFORM}`);
    expect(page.status).toBe(200);
    expect((await test.simulator.pushTicket(PLATFORM)).body).toBe('success');
    expect(waits.filter((ms) => ms >= VISITOR_WAITS.ms)).toEqual([]);
    const results = await Promise.all(visits);
    expect(results.filter((result) => result !== 'pending' && result !== 503)).toEqual([]);
    expect(waits.filter((ms) => ms >= VISITOR_WAITS.ms).length).toBeLessThanOrEqual(
      VISITOR_WAITS.perCode,
    );
    test.clock.advance(MINUTE);
    expect(resultOf(await comeBack(test, code))).toBe('authorized');
    expect(await ended(account)).toBe(true);
    expect(calls(test, QUERY_AUTH)).toBe(2);
  });
});
