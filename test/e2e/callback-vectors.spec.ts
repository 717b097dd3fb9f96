import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cdata } from '../../simulator/push-builder.js';
import { rawRequest } from '../support/http-exchange.js';
import { expectRefusal, expectSuccess, storedState } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { FakeClock } from '../support/fake-clock.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

interface Vector {
  id: string;
  url_kind?: string;
  token: string;
  encoding_aes_key: string;
  timestamp: string;
  nonce: string;
  encrypt: string;
  msg_signature: string;
  plaintext: string;
}
interface Negative extends Omit<Vector, 'plaintext'> {
  expected_id: string;
  suggested_code: number;
}

const file = new URL('../vectors/wechat-crypto.json', import.meta.url);
const { vectors, negative } = JSON.parse(readFileSync(file, 'utf8')) as {
  vectors: Vector[];
  negative: Negative[];
};
const events = vectors.filter(({ url_kind }) => url_kind === 'authorization-event');
/** Negative ones that are bad pushes; the other is a bad key, which no component can have. */
const badPushes = negative.filter(({ encoding_aes_key }) => encoding_aes_key.length === 43);

describe.each(databaseKinds())('the vectors that other libraries made, on %s,', (kind) => {
  const clock = new FakeClock(1_735_689_700_000);
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind, clock });
    // WeChat knows nothing of these tickets: asked for one of its own, it would push it here.
    test.simulator.updateComponent(COMPONENT.appid, { pushUrl: null });
    const { appsecret: appSecret, token, encodingAesKey } = COMPONENT;
    await test.hub.post('/admin/components', {
      componentAppId: 'wxffffffffffffffff',
      appSecret,
      token,
      encodingAesKey,
    });
  });
  afterAll(() => test.close());

  function send(vector: Vector | Negative, appid: string): Promise<Answer> {
    const { timestamp, nonce, msg_signature, encrypt } = vector;
    const query = new URLSearchParams({ timestamp, nonce, msg_signature }).toString();
    const body = `<xml><AppId>${cdata(appid)}</AppId><Encrypt>${cdata(encrypt)}</Encrypt></xml>`;
    return rawRequest(test.hub.url, { path: `/callback/${appid}/events?${query}`, body });
  }

  it('are some', () => {
    expect(events.length).toBeGreaterThanOrEqual(3);
    expect(badPushes).toHaveLength(3);
  });

  it.each(events)('take $id', async (vector) => {
    const before = await storedState(test);
    expectSuccess(await send(vector, COMPONENT.appid));
    expect((await storedState(test)).events).toHaveLength(before.events.length + 1);
  });

  it('leave the ticket that stands in them', async () => {
    const ticket = (await test.hub.ticket()).json.componentVerifyTicket;
    expect(events.some(({ plaintext }) => plaintext.includes(`[${ticket}]`))).toBe(true);
  });

  it.each(badPushes)('refuse $id with $suggested_code', async (vector) => {
    // The exchange that the tickets above have brought is over when a reader has its result.
    await test.hub.accessToken();
    const before = await storedState(test);
    const answer = await send(vector, vector.expected_id);
    const { status, code } = [
      { errcode: -40001, status: 403, code: 'signature_invalid' },
      { errcode: -40005, status: 403, code: 'appid_mismatch' },
      { errcode: -40007, status: 400, code: 'push_undecryptable' },
    ].find(({ errcode }) => errcode === vector.suggested_code) ?? { status: 0, code: '' };
    expectRefusal(answer, { status, code, errcode: vector.suggested_code });
    expect(await storedState(test)).toEqual(before);
  });

  it('refuse the key of 42 characters for a component', async () => {
    const [short] = negative.filter((vector) => !badPushes.includes(vector));
    const answer = await test.hub.patch(`/admin/components/${COMPONENT.appid}`, {
      encodingAesKey: short?.encoding_aes_key,
    });
    expectRefusal(answer, { status: 400, code: 'bad_request' });
    expect(answer.text).toContain('43');
    expect(answer.text).not.toContain(short?.encoding_aes_key);
  });
});
