import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TicketPushOverrides } from '../../simulator/push-builder.js';
import {
  encryptBytes,
  encryptOf,
  nowSeconds,
  pushOf,
  pushXml,
  queryOf,
  signedAnew,
  type SentPush,
} from '../support/callback-pushes.js';
import {
  expectRefusal,
  storedState,
  withTicketAndToken,
  type Refusal,
  type StoredState,
} from '../support/callback-state.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { databasesAndUrls, rightPush } from '../support/message-pushes.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

type Params = Record<string, string | undefined>;

const RANDOM = '0123456789abcdef';
const bytes = (count: number, value = count): Buffer => Buffer.alloc(count, value);
const length = (value: number): Buffer => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(value);
  return four;
};

const SIGNATURE = { status: 403, code: 'signature_invalid', errcode: -40001 };
const MISSING = { status: 400, code: 'parameter_missing' };
const MALFORMED = { status: 400, code: 'parameter_invalid' };
const PLAIN = { status: 400, code: 'encrypt_type_unsupported' };
const OUT_OF_WINDOW = { status: 403, code: 'timestamp_out_of_window' };
const MISMATCH = { status: 403, code: 'appid_mismatch', errcode: -40005 };
const undecryptable = (errcode: number): Refusal => ({
  status: 400,
  code: 'push_undecryptable',
  errcode,
});
const FIELD_MISSING = { status: 400, code: 'field_missing' };
const FIELD_INVALID = { status: 400, code: 'field_invalid' };

const refused = 'a bad push on %s to %s changes nothing and is refused when';
describe.each(databasesAndUrls())(refused, (kind, url) => {
  let test: TestApp;
  let before: StoredState;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await withTicketAndToken(test, COMPONENT.appid);
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    before = await storedState(test);
    expect(before.tickets).toHaveLength(1);
    expect(before.tokens).toHaveLength(1);
    expect(before.events).toHaveLength(1);
  });
  afterEach(async () => {
    expect(await storedState(test)).toEqual(before);
  });

  const send = ({ built, query, body }: SentPush): Promise<Answer> =>
    test.hub.request('POST', `/callback/${built.appid}/${url}?${query ?? built.query}`, {
      body: body ?? built.body,
      headers: built.headers,
    });
  const right = (overrides: TicketPushOverrides = {}): SentPush => ({
    built: rightPush(test, url, overrides),
  });
  const withParams = (changes: (params: Params) => Params): SentPush => {
    const { built } = right();
    return { built, query: queryOf(built, changes(built.params)) };
  };

  it.each<[string, (params: Params) => Params, Refusal]>([
    ['msg_signature is wrong', () => ({ msg_signature: '0'.repeat(40) }), SIGNATURE],
    ['msg_signature is no hash', () => ({ msg_signature: 'x' }), SIGNATURE],
    [
      'msg_signature is in upper case',
      ({ msg_signature }) => ({ msg_signature: msg_signature?.toUpperCase() }),
      SIGNATURE,
    ],
    [
      'msg_signature is the signature of the query alone',
      ({ signature }) => ({ msg_signature: signature }),
      SIGNATURE,
    ],
    ['nonce is another one', ({ nonce }) => ({ nonce: `${nonce}0` }), SIGNATURE],
    [
      'timestamp is another one',
      ({ timestamp }) => ({ timestamp: String(Number(timestamp) + 1) }),
      SIGNATURE,
    ],
    [
      'timestamp and nonce stand in the place of each other',
      ({ timestamp, nonce }) => ({ timestamp: nonce, nonce: timestamp }),
      OUT_OF_WINDOW,
    ],
    ['msg_signature is missing', () => ({ msg_signature: undefined }), MISSING],
    ['msg_signature is empty', () => ({ msg_signature: '' }), MISSING],
    ['timestamp is missing', () => ({ timestamp: undefined }), MISSING],
    ['timestamp is empty', () => ({ timestamp: '' }), MISSING],
    ['nonce is missing', () => ({ nonce: undefined }), MISSING],
    ['nonce is empty', () => ({ nonce: '' }), MISSING],
    ['nonce is longer than 256', () => ({ nonce: '1'.repeat(257) }), MALFORMED],
    ['encrypt_type says raw', () => ({ encrypt_type: 'raw' }), PLAIN],
    ['encrypt_type is empty', () => ({ encrypt_type: '' }), PLAIN],
  ])('%s', async (_, changes, refusal) => {
    expectRefusal(await send(withParams(changes)), refusal);
  });

  it.each<[string, Refusal]>([
    ['timestamp', MALFORMED],
    ['nonce', MALFORMED],
    ['msg_signature', MALFORMED],
    ['encrypt_type', PLAIN],
  ])('%s is there twice, even with one value', async (name, refusal) => {
    const { built } = right();
    const query = `${built.query}&${name}=${built.params[name]}`;
    expectRefusal(await send({ built, query }), refusal);
  });

  it.each<[string, (now: number) => string | number, Refusal]>([
    ['601 s old', (now) => now - 601, OUT_OF_WINDOW],
    ['601 s ahead', (now) => now + 601, OUT_OF_WINDOW],
    ['in milliseconds', (now) => now * 1000, OUT_OF_WINDOW],
    ['not a number', () => 'now', OUT_OF_WINDOW],
    ['a hexadecimal number', (now) => `0x${now.toString(16)}`, OUT_OF_WINDOW],
    ['a number with a sign', (now) => `+${now}`, OUT_OF_WINDOW],
    ['0', () => 0, OUT_OF_WINDOW],
  ])('its signed timestamp is %s', async (_, timestamp, refusal) => {
    expectRefusal(await send(right({ timestamp: timestamp(nowSeconds(test)) })), refusal);
  });

  it.each<[string, TicketPushOverrides, Refusal]>([
    ['signed with another token', { token: 'anotherToken' }, SIGNATURE],
    ['encrypted for another appid', { tailId: 'wxffffffffffffffff' }, MISMATCH],
    ['encrypted for an appid in other case', { tailId: 'WX0123456789ABCDEF' }, MISMATCH],
    ['encrypted for no appid', { tailId: '' }, MISMATCH],
    ['of another component in its outer XML', { outerAppId: 'wxffffffffffffffff' }, MISMATCH],
  ])('it is %s', async (_, overrides, refusal) => {
    expectRefusal(await send(right({ issued: false, ...overrides })), refusal);
  });

  it.each<[string, (encrypt: string) => string, number]>([
    ['is cut by a character', (encrypt) => encrypt.slice(0, -1), -40010],
    ['is cut by 4 characters', (encrypt) => encrypt.slice(0, -4), -40007],
    ['is not base64', () => 'not base64 at all!!!', -40010],
    ['ends with a pad of 0', () => encryptBytes(RANDOM, bytes(16, 0)), -40008],
    ['ends with a pad of 33', () => encryptBytes(RANDOM, bytes(48, 33)), -40008],
    ['has a pad of unequal bytes', () => encryptBytes(RANDOM, bytes(15, 1), bytes(1, 16)), -40008],
    ['is nothing but a pad', () => encryptBytes(bytes(32)), -40008],
    ['says a length of 4 GiB', () => encryptBytes(RANDOM, length(2 ** 32 - 1), bytes(12)), -40008],
    ['says a length one too long', () => encryptBytes(RANDOM, length(1), bytes(12)), -40008],
  ])('its ciphertext, correctly signed, %s', async (_, change, errcode) => {
    const { built } = right();
    const refusal = undecryptable(errcode);
    expectRefusal(await send(signedAnew(built, change(encryptOf(built)))), refusal);
  });

  it('it is encrypted under another key', async () => {
    // Everything fixed: what decryption makes of it is the same each time.
    const push = right({
      encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
      plaintext: '<xml/>',
      randomHex: '00'.repeat(16),
    });
    expectRefusal(await send(push), undecryptable(-40008));
  });

  const ticketRows: [string, (test: TestApp) => string, Refusal][] = [
    ['another AppId', (t) => pushXml(t, { AppId: 'wxffffffffffffffff' }), MISMATCH],
    ['AppId twice, the first another', (t) => pushXml(t, { AppId: 'a</AppId><AppId>b' }), MISMATCH],
    ['no ticket', (t) => pushXml(t, { ComponentVerifyTicket: undefined }), FIELD_MISSING],
    ['an empty ticket', (t) => pushXml(t, { ComponentVerifyTicket: '' }), FIELD_MISSING],
    ['its ticket twice', (t) => twice(t, 'ComponentVerifyTicket', 'a'), FIELD_INVALID],
    [
      'a ticket with fields',
      (t) => pushXml(t, { ComponentVerifyTicket: '<a>b</a>' }),
      FIELD_INVALID,
    ],
    [
      'a ticket of 2049 characters',
      (t) => pushXml(t, { ComponentVerifyTicket: 'a'.repeat(2049) }),
      FIELD_INVALID,
    ],
    ['no CreateTime', (t) => pushXml(t, { CreateTime: undefined }), FIELD_MISSING],
    ['CreateTime twice', (t) => twice(t, 'CreateTime', String(nowSeconds(t))), FIELD_INVALID],
    ['a CreateTime of words', (t) => pushXml(t, { CreateTime: 'now' }), FIELD_INVALID],
    ['a CreateTime below 0', (t) => pushXml(t, { CreateTime: '-1' }), FIELD_INVALID],
  ];
  it.each(ticketRows)('it has %s', async (_, plaintext, refusal) => {
    expectRefusal(await send(pushOf(test, plaintext(test))), refusal);
  });

  it('its component is unknown', async () => {
    const { built } = right();
    const unknown = { ...built, appid: 'wxffffffffffffffff' };
    expectRefusal(await send({ built: unknown }), { status: 404, code: 'component_unknown' });
  });
});

function twice(test: TestApp, name: string, value: string): string {
  return pushXml(test, { [name]: `${value}</${name}><${name}>${value}` });
}
