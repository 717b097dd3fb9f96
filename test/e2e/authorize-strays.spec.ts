import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VISITOR_LIMITS } from '../../src/authorization/authorization-limit.js';
import {
  authorizerHub,
  calls,
  comeBack,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
  resultOf,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { getFrom } from '../support/visitors.js';
import type { TestApp } from '../support/test-app.js';

const TRIES = 150;
const { burst } = VISITOR_LIMITS;

describe.each(databaseKinds())('codes that somebody made up on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
  });
  afterAll(() => test.close());

  /** The address that WeChat sends a browser back to that came from a link of the hub. */
  const requestOfLink = async (): Promise<string> => {
    const { json } = await test.hub.post('/admin/authorizations/links', {
      componentAppId: PLATFORM,
    });
    const back = new URL(new URL(json.pc as string).searchParams.get('redirect_uri') ?? '');
    return back.searchParams.get('request') ?? '';
  };

  it('cost few calls, and no page of an error', async () => {
    const made = Array.from({ length: TRIES }, (_, n) => comeBack(test, `guessed-code-${n}`));
    const statuses = (await Promise.all(made)).map(({ status }) => status);
    expect(calls(test, QUERY_AUTH)).toBe(burst);
    expect(statuses.filter((status) => status === 200)).toHaveLength(burst);
    expect(statuses.filter((status) => status === 429)).toHaveLength(TRIES - burst);
  });

  it('stop nobody who comes from elsewhere', async () => {
    const { code } = await test.simulator.accounts.authorize(PLATFORM, newAccount(test), {
      push: false,
    });
    const path = `/authorize/${PLATFORM}/callback?auth_code=${encodeURIComponent(code)}`;
    const { text } = await getFrom('127.0.0.2', test.hub.url + path);
    expect(text).toContain('data-result="authorized"');
  });

  it('hold up nobody who comes from a link, and each link brings one', async () => {
    const request = await requestOfLink();
    const finish = async (code: string): Promise<string | undefined> =>
      resultOf(
        await test.hub.get(`/authorize/${PLATFORM}/callback?request=${request}&auth_code=${code}`),
      );
    const { code } = await test.simulator.accounts.authorize(PLATFORM, newAccount(test), {
      push: false,
    });
    expect(await finish(code)).toBe('authorized');
    // Seen again it costs nothing; another code for the same link is none of it.
    expect(await finish(code)).toBe('authorized');
    expect(await finish('guessed-for-a-known-link')).toBeUndefined();
  });

  it('are forgotten after a while, and real ones are not counted', async () => {
    test.clock.advance(VISITOR_LIMITS.refillMs);
    for (let n = 0; n <= burst; n += 1) {
      const { code } = await test.simulator.accounts.authorize(PLATFORM, newAccount(test), {
        push: false,
      });
      expect(resultOf(await comeBack(test, code))).toBe('authorized');
    }
  });
});
