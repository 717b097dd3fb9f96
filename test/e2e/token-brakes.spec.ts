import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  breakPath,
  detailOf,
  newAccount,
  PLATFORM,
  tokenOf,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  breakExchange,
  calls,
  HOUR,
  issued,
  repair,
  prime,
  SECOND,
  secondHub,
  sql,
  START_PUSH,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;

describe.each(databaseKinds())('exchanges are braked on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  const refresh = ({ hub }: Pick<TestApp, 'hub'> = test): Promise<Answer> =>
    hub.post(`/admin/tokens/${appid}/refresh`);

  it('for manual refreshes: one in 10 s, however many ask on two hosts', async () => {
    await prime(test);
    const other = await secondHub(test);
    try {
      const many = Array.from({ length: 40 }, (_, index) => refresh(index % 2 ? test : other));
      for (const answer of await Promise.all(many)) {
        expect(answer).toMatchObject({ status: 200, json: { generation: 2 } });
      }
      test.clock.advance(10 * SECOND - 1);
      for (const hub of [test, other]) {
        expect(await refresh(hub)).toMatchObject({ status: 200, json: { generation: 2 } });
      }
      expect(calls(test)).toBe(2);
      test.clock.advance(1);
      expect(await refresh(other)).toMatchObject({ status: 200, json: { generation: 3 } });
      expect(calls(test)).toBe(3);
    } finally {
      await other.close();
    }
  });

  it('for a manual refresh that failed: the next is 429 while there is no token', async () => {
    await prime(test);
    test.clock.advance(3 * HOUR);
    breakExchange(test, { kind: 'errcode', errcode: 61004 });
    expect((await refresh()).status).toBe(502);
    for (let again = 0; again < 5; again += 1) {
      expect(await refresh()).toMatchObject({
        status: 429,
        json: {
          error: {
            code: 'refresh_too_soon',
            nextAttemptAt: new Date(test.clock.now() + 10 * SECOND).toISOString(),
          },
        },
      });
    }
    expect(calls(test)).toBe(2);
    repair(test);
    test.clock.advance(10 * SECOND);
    expect((await refresh()).status).toBe(200);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });

  it('for manual refreshes of an account as well', async () => {
    await prime(test);
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    const path = `/admin/authorizers/${PLATFORM}/${account}/refresh`;
    for (let again = 0; again < 3; again += 1) {
      expect((await test.hub.post(path)).json.token.generation).toBe(2);
    }
    test.clock.advance(10 * SECOND);
    expect((await test.hub.post(path)).json.token.generation).toBe(3);
    test.clock.advance(3 * HOUR);
    await prime(test);
    breakPath(test, AUTHORIZER_TOKEN, { kind: 'http', status: 500 });
    const answers = [await test.hub.post(path), await test.hub.post(path)];
    expect(answers.map(({ status }) => status)).toEqual([502, 429]);
    expect(calls(test, AUTHORIZER_TOKEN)).toBe(3);
  });

  it('for a token that lives a second: one in 5 s, however often it is read', async () => {
    test.simulator.updateComponent(appid, { tokenLifeSeconds: 1 });
    await prime(test);
    const statuses = new Map<number, number>();
    for (let read = 0; read < 40; read += 1) {
      test.clock.advance(SECOND / 4);
      const { status } = await test.hub.accessToken();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await tick(test);
    }
    expect(calls(test)).toBe(3);
    expect([...statuses.keys()].toSorted()).toEqual([200, 503]);
    expect((await refresh()).json.generation).toBe(4);
    test.simulator.updateComponent(appid, { tokenLifeSeconds: 7200 });
    test.clock.advance(5 * SECOND);
    expect((await test.hub.accessToken()).json.expires_in).toBe(7200);
    expect((await test.hub.token()).json.nextAttemptAt).toBeNull();
  });

  it('for an account whose token lives a second as well', async () => {
    await prime(test);
    test.simulator.accounts.configure({ authorizerTokenLifeSeconds: 1 });
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    for (let read = 0; read < 40; read += 1) {
      test.clock.advance(SECOND / 4);
      await tokenOf(test, account);
    }
    expect(calls(test, AUTHORIZER_TOKEN)).toBeLessThanOrEqual(3);
    expect((await detailOf(test, account)).token.lastError).toBeNull();
  });

  it('for tickets that WeChat refuses, ten a second on two hosts: one in 10 s', async () => {
    await prime(test);
    const other = await secondHub(test);
    try {
      test.simulator.updateComponent(appid, { pushUrl: null });
      test.clock.advance(13 * HOUR);
      test.simulator.clearCalls();
      for (let pushed = 0; pushed < 140; pushed += 1) {
        test.clock.advance(SECOND / 10);
        const { hub } = pushed % 2 ? test : other;
        const built = test.simulator.buildTicketPush(appid, { issued: pushed === 139 });
        expect((await hub.push(built)).text).toBe('success');
        // Readers and timers lift it no more than pushes do.
        if (pushed % 20 === 0) await Promise.all([hub.accessToken(), tick(test), tick(other)]);
      }
      // The first exchange tries earlier tickets as well; what follows is about the new one alone.
      const { attempts } = (await test.hub.token()).json;
      expect(attempts).toBe(3);
      expect(calls(test)).toBeLessThanOrEqual(8);
      expect(calls(test, START_PUSH)).toBe(1);

      // A good one has come among them: it is used as soon as the next exchange may be.
      test.clock.advance(10 * SECOND);
      await tick(other);
      expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
      expect((await test.hub.token()).json).toMatchObject({ attempts: 0, lastError: null });
    } finally {
      await other.close();
    }
  });

  it('for AppSecrets that are changed again and again', async () => {
    await prime(test);
    test.clock.advance(3 * HOUR);
    breakExchange(test, { kind: 'errcode', errcode: 40125 });
    test.simulator.clearCalls();
    expect((await test.hub.accessToken()).status).toBe(502);
    for (let change = 0; change < 30; change += 1) {
      test.clock.advance(SECOND / 2);
      const appSecret = `fake-secret-number-${change}-of-many`;
      await test.hub.patch(`/admin/components/${appid}`, { appSecret });
      await Promise.all([test.hub.accessToken(), tick(test)]);
    }
    // One for the first secret; two lifts, each with up to three secrets before the newest.
    expect(calls(test)).toBeLessThanOrEqual(1 + 2 * 4);
    expect((await test.hub.token()).json.attempts).toBe(3);
  });

  it('by a database that refuses to store a token: answered at once, put off, stored', async () => {
    await prime(test);
    await sql(test).query(
      kind === 'mysql'
        ? 'CREATE TRIGGER refuse_token BEFORE UPDATE ON component_access_token FOR EACH ROW ' +
            'IF NOT (NEW.access_token <=> OLD.access_token) THEN ' +
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"
        : 'CREATE TRIGGER refuse_token BEFORE UPDATE OF access_token ON component_access_token ' +
            "BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    const started = performance.now();
    const failed = await refresh();
    // Tried again and again, as while the database is away, it would take 10 s.
    expect(performance.now() - started).toBeLessThan(3000);
    expect(failed.status).toBe(500);
    expect((await test.hub.token()).json).toMatchObject({
      generation: 1,
      attempts: 1,
      lastError: { kind: 'internal', code: 'refresh_failed' },
    });
    await tick(test);
    expect(calls(test)).toBe(2);
    await sql(test).query('DROP TRIGGER refuse_token');
    test.clock.advance(10 * SECOND);
    await tick(test);
    expect((await test.hub.token()).json).toMatchObject({ generation: 2, lastError: null });
  });
});
