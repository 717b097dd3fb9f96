import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STRAY_CODES_PER_MINUTE } from '../../src/authorizer/authorization-limit.js';
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
import type { TestApp } from '../support/test-app.js';

const TRIES = 150;

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
    expect(calls(test, QUERY_AUTH)).toBe(STRAY_CODES_PER_MINUTE);
    expect(statuses.filter((status) => status === 200)).toHaveLength(STRAY_CODES_PER_MINUTE);
    expect(statuses.filter((status) => status === 429)).toHaveLength(
      TRIES - STRAY_CODES_PER_MINUTE,
    );
  });

  it('hold up nobody who comes from a link, and each link brings one', async () => {
    const request = await requestOfLink();
    const finish = async (code: string): Promise<string | undefined> =>
      resultOf(
        await test.hub.get(`/authorize/${PLATFORM}/callback?request=${request}&auth_code=${code}`),
      );
    const { code } = await test.simulator.authorize(PLATFORM, newAccount(test), { push: false });
    expect(await finish(code)).toBe('authorized');
    // Seen again it costs nothing; another code for the same link is a made-up one.
    expect(await finish(code)).toBe('authorized');
    expect(await finish('guessed-for-a-known-link')).toBeUndefined();
  });

  it('are forgotten after a minute, and real ones are not counted', async () => {
    test.clock.advance(61_000);
    for (let n = 0; n <= STRAY_CODES_PER_MINUTE; n += 1) {
      const { code } = await test.simulator.authorize(PLATFORM, newAccount(test), { push: false });
      expect(resultOf(await comeBack(test, code))).toBe('authorized');
    }
  });
});
