import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../support/hub-client.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  breakExchange,
  calls,
  issued,
  repair,
  MINUTE,
  prime,
  SECOND,
  secondHub,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
const REPORTS = 500;

describe.each(databaseKinds())('a report that WeChat refuses the token on %s', (kind) => {
  let test: TestApp;
  let dead: string;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
    dead = await prime(test);
    test.simulator.expireTokens(appid, { errcode: 40001 });
    test.simulator.clearCalls();
  });
  afterEach(() => test.close());

  const report = (token: string, { hub }: Pick<TestApp, 'hub'> = test): Promise<Answer> =>
    hub.post(`/api/components/${appid}/access-token/invalidate`, { token });
  const handedOut = async (): Promise<string> =>
    (await test.hub.accessToken()).json.component_access_token;

  it('is answered with a new token, which every reader gets from then on', async () => {
    const { status, json } = await report(dead);
    expect([status, json]).toEqual([
      200,
      { component_access_token: issued(test), expires_in: 7200 },
    ]);
    expect(await handedOut()).toBe(json.component_access_token);
    expect(calls(test)).toBe(1);
    expect((await test.hub.token()).json).toMatchObject({ generation: 2, invalidatedAt: null });
  });

  it(`costs one exchange however many make it: ${REPORTS} at once`, async () => {
    breakExchange(test, { kind: 'delay', delayMs: 100, times: 1 });
    const reads = Promise.all(Array.from({ length: 50 }, () => test.hub.accessToken()));
    // The gate lets 256 requests in at a time: on a fast machine more than that are there at once.
    const persistently = async (): Promise<Answer> => {
      for (;;) {
        const answer = await report(dead);
        if (answer.json.error?.code !== 'too_busy') return answer;
        expect(answer.headers.get('retry-after')).toBe('1');
      }
    };
    const answers = await Promise.all(Array.from({ length: REPORTS }, persistently));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ json }) => json.component_access_token))).toEqual(
      new Set([issued(test)]),
    );
    expect(calls(test)).toBe(1);
    for (const { status } of await reads) expect(status).toBe(200);
  });

  it('costs one exchange when it is made to two hubs', async () => {
    const other = await secondHub(test);
    try {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, index) => report(dead, index % 2 ? test : other)),
      );
      expect(new Set(answers.map(({ json }) => json.component_access_token))).toEqual(
        new Set([issued(test)]),
      );
      expect(calls(test)).toBe(1);
    } finally {
      await other.close();
    }
  });

  it('that is not the current one is answered with the current one, and WeChat is not called', async () => {
    const { json } = await report('a-token-of-yesterday');
    expect(json).toEqual({ component_access_token: dead, expires_in: 7200 });
    await report(dead);
    const again = await report(dead);
    expect(again.json.component_access_token).toBe(issued(test));
    expect(calls(test)).toBe(1);
  });

  it('replaces a token once in 30 s at the most', async () => {
    const second = (await report(dead)).json.component_access_token;
    test.clock.advance(29 * SECOND);
    expect(await report(second)).toMatchObject({
      status: 200,
      json: { component_access_token: second },
    });
    expect(calls(test)).toBe(1);
    test.clock.advance(SECOND);
    const third = (await report(second)).json.component_access_token;
    expect(third).not.toBe(second);
    expect(third).toBe(issued(test));
    expect(calls(test)).toBe(2);
  });

  it('is kept when the exchange fails, and the timer goes on although the time is not over', async () => {
    breakExchange(test, { kind: 'errcode', errcode: 61004 });
    const failed = await report(dead);
    expect(failed).toMatchObject({
      status: 502,
      json: { error: { code: 'wechat_api_failed', errcode: 61004, kind: 'ip' } },
    });
    const view = (await test.hub.token()).json;
    expect(view).toMatchObject({
      generation: 1,
      attempts: 1,
      remainingSeconds: 7200,
      invalidatedAt: new Date(test.clock.now()).toISOString(),
    });
    expect((await test.hub.get('/health/ready')).json.components[0].token).toBe('degraded');
    const more = await Promise.all(Array.from({ length: 20 }, () => report(dead)));
    expect(new Set(more.map(({ status }) => status))).toEqual(new Set([502]));
    await tick(test);
    expect(calls(test)).toBe(1);
    repair(test);
    test.clock.advance(2 * MINUTE);
    await tick(test);
    expect(calls(test)).toBe(2);
    expect(await handedOut()).toBe(issued(test));
    expect((await test.hub.token()).json).toMatchObject({
      generation: 2,
      invalidatedAt: null,
      lastError: null,
    });
  });

  it.each([
    { body: {}, name: 'no token' },
    { body: { token: '' }, name: 'an empty token' },
    { body: { token: 7 }, name: 'a number' },
    { body: { token: 'x'.repeat(4097) }, name: 'a token of 4097 characters' },
  ])('with $name is 400 and changes nothing', async ({ body }) => {
    const path = `/api/components/${appid}/access-token/invalidate`;
    const answer = await test.hub.post(path, body);
    expect(answer).toMatchObject({ status: 400, json: { error: { code: 'bad_request' } } });
    expect((await test.hub.token()).json.invalidatedAt).toBeNull();
    expect(calls(test)).toBe(0);
  });

  it('for an unknown platform is 404', async () => {
    const path = '/api/components/wx00000000000nobody/access-token/invalidate';
    const answer = await test.hub.post(path, { token: dead });
    expect(answer).toMatchObject({ status: 404, json: { error: { code: 'component_unknown' } } });
  });
});
