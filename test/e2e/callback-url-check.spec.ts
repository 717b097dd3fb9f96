import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signQuery } from '../../simulator/wechat-push-crypto.js';
import { nowSeconds } from '../support/callback-pushes.js';
import {
  expectRefusal,
  storedState,
  type Refusal,
  type StoredState,
} from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const PREVIOUS_TOKEN = 'fakeTokenBefore';
const SIGNATURE = { status: 403, code: 'signature_invalid', errcode: -40001 };
const MISSING = { status: 400, code: 'parameter_missing' };
const MALFORMED = { status: 400, code: 'parameter_invalid' };

describe.each(databaseKinds())('the check of the callback URL on %s', (kind) => {
  let test: TestApp;
  let before: StoredState;
  beforeAll(async () => {
    test = await createTestApp({
      database: kind,
      env: { WECHAT_COMPONENT_PREVIOUS_TOKEN: PREVIOUS_TOKEN },
    });
    await check({}, { token: PREVIOUS_TOKEN });
    await check();
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    before = await storedState(test);
  });
  afterEach(async () => {
    expect(await storedState(test)).toEqual(before);
  });

  function check(
    changes: Record<string, string | string[] | undefined> = {},
    { token = COMPONENT.token, id = appid } = {},
  ): Promise<Answer> {
    const timestamp = changes.timestamp ?? String(nowSeconds(test));
    const nonce = '100000001';
    const params = {
      signature: signQuery(token, String(timestamp), nonce),
      timestamp,
      nonce,
      echostr: '5927782489442352469',
      ...changes,
    };
    const query = new URLSearchParams(
      Object.entries(params).flatMap(([name, value]) =>
        [value ?? []].flat().map((one): [string, string] => [name, one]),
      ),
    );
    return test.hub.get(`/callback/${id}/events?${query.toString()}`);
  }

  it.each(['5927782489442352469', '0', 'a b+c/d=', '<script>alert(1)</script>', '测试'])(
    'answers the echostr "%s" as it came, as plain text',
    async (echostr) => {
      const answer = await check({ echostr });
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(echostr);
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain\b/);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    },
  );

  it('shows by the first that WeChat has the URL and the Token; later ones leave nothing', async () => {
    // Past the life of the copy that the view is made from.
    test.clock.advance(15_000);
    const { json } = await test.hub.get(`/admin/components/${appid}`);
    expect(json.token.lastUsedAt).toBe(new Date(test.clock.now() - 15_000).toISOString());
    expect(json.encodingAesKey.lastUsedAt).toBeNull();
  });

  it('takes a signature made with the previous Token', async () => {
    expect((await check({}, { token: PREVIOUS_TOKEN })).text).toBe('5927782489442352469');
  });

  it.each<[string, Record<string, string | string[] | undefined>, Refusal]>([
    ['a wrong signature', { signature: '0'.repeat(40) }, SIGNATURE],
    ['a signature over another nonce', { nonce: '100000002' }, SIGNATURE],
    ['no signature', { signature: undefined }, MISSING],
    ['no timestamp', { timestamp: [] }, MISSING],
    ['no nonce', { nonce: undefined }, MISSING],
    ['no echostr', { echostr: undefined }, MISSING],
    ['an empty echostr', { echostr: '' }, MISSING],
    ['two of echostr', { echostr: ['1', '2'] }, MALFORMED],
    ['two of signature', { signature: ['a', 'a'] }, MALFORMED],
    ['an echostr of 257 characters', { echostr: 'a'.repeat(257) }, MALFORMED],
    ['a timestamp of 1970', { timestamp: '1' }, { status: 403, code: 'timestamp_out_of_window' }],
  ])('refuses %s', async (_, changes, refusal) => {
    expectRefusal(await check(changes), refusal);
  });

  it('refuses a signature made with another token', async () => {
    expectRefusal(await check({}, { token: 'anotherToken' }), SIGNATURE);
  });

  it('refuses an unknown component', async () => {
    const refusal = { status: 404, code: 'component_unknown' };
    expectRefusal(await check({}, { id: 'wxffffffffffffffff' }), refusal);
  });
});
