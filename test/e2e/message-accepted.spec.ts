import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { signQuery } from '../../simulator/wechat-push-crypto.js';
import { Database } from '../../src/database/database.js';
import { authorizeByEvent, infoTick, PLATFORM } from '../support/authorizer-world.js';
import { rawRequest } from '../support/http-exchange.js';
import { nowSeconds } from '../support/callback-pushes.js';
import { expectRefusal, expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import {
  ACCOUNT,
  eventFields,
  jsonPush,
  messagePush,
  pushMessage,
  sendMessage,
  textFields,
  USER,
  USER_NAME,
} from '../support/message-pushes.js';
import { messageHub, recordedMessages } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { prime, sql } from '../support/token-world.js';

const MISMATCH = { status: 403, code: 'appid_mismatch', errcode: -40005 };
const BURST = 300;

describe.each(databaseKinds())('the message URL on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await messageHub({ database: kind });
  });
  afterAll(() => test.close());

  const latest = async () => (await recordedMessages(test)).at(-1);
  const count = async (): Promise<number> => (await recordedMessages(test)).length;

  it('keeps a message of an account that the hub does not know', async () => {
    const push = messagePush(test, textFields(test, { Content: '你好 😀', MsgId: '123' }));
    expectSuccess(await sendMessage(test, push));
    expect(await latest()).toMatchObject({
      kind: 'message',
      component_appid: COMPONENT.appid,
      authorizer_appid: ACCOUNT,
      info_type: '',
      msg_type: 'text',
      event: null,
      from_user: USER,
      create_time: nowSeconds(test),
      outcome: 'success',
      reply: null,
      payload: push.built.plaintext,
    });
    const [row] = await sql(test).query(
      'SELECT payload FROM callback_event ORDER BY id DESC LIMIT 1',
    );
    expect(row.payload).toMatch(/^enc:v1:/);
  });

  it('keeps an event under its name', async () => {
    expectSuccess(await pushMessage(test, eventFields(test, 'CLICK', { EventKey: 'menu_1' })));
    expect(await latest()).toMatchObject({ kind: 'event', msg_type: 'event', event: 'CLICK' });
  });

  it('keeps JSON with every digit', async () => {
    const plaintext = `{"ToUserName":"${USER_NAME}","FromUserName":"${USER}","CreateTime":${nowSeconds(test)},"MsgType":"text","Content":"a","MsgId":24842939384893849123}`;
    expectSuccess(await sendMessage(test, jsonPush(test, plaintext)));
    expect(await latest()).toMatchObject({ msg_type: 'text', from_user: USER, payload: plaintext });
    const next = plaintext.replace('849123', '849124');
    expectSuccess(await sendMessage(test, jsonPush(test, next)));
    expect((await latest())?.payload).toBe(next);
  });

  it.each([
    ['an Event of 300 characters', eventFields, { Event: 'long_'.repeat(60) }],
    ['a user of 300 characters', textFields, { FromUserName: 'o'.repeat(300) }],
    ['a type that nobody knows', textFields, { MsgType: 'hologram_2031', MsgId: undefined }],
    ['no user and no time', textFields, { FromUserName: undefined, CreateTime: undefined }],
    ['an event without a name', textFields, { MsgType: 'event', Event: undefined }],
    ['a CreateTime of words', textFields, { CreateTime: 'now' }],
  ] as const)('keeps a push with %s', async (_, make, changes) => {
    const fields =
      make === eventFields ? eventFields(test, 'x', changes) : textFields(test, changes);
    const push = messagePush(test, fields);
    expectSuccess(await sendMessage(test, push));
    expect((await latest())?.payload).toBe(push.built.plaintext);
  });

  it.each(['text/xml', 'application/json', ''])(
    'reads a body whatever its type says: "%s"',
    async (contentType) => {
      const { path, body } = messagePush(test, textFields(test));
      const headers = { 'content-type': contentType };
      expectSuccess(await rawRequest(test.hub.url, { path, body, headers }));
    },
  );

  it.each([
    ['$APPID$', 'it was not put in the place of'],
    ['a'.repeat(65), 'it is too long'],
    ['wx%20a', 'it has a space'],
  ])('refuses the account "%s": %s', async (account) => {
    const before = await count();
    const answer = await pushMessage(test, textFields(test), { account });
    expectRefusal(answer, { status: 400, code: 'authorizer_appid_invalid' });
    expect(await count()).toBe(before);
  });

  it('answers the check of the URL', async () => {
    const params = {
      timestamp: String(nowSeconds(test)),
      nonce: '1',
      echostr: '5927782489442352469',
    };
    const signature = signQuery(COMPONENT.token, params.timestamp, params.nonce);
    const url = `/callback/${COMPONENT.appid}/messages/${ACCOUNT}?`;
    const right = await test.hub.get(url + new URLSearchParams({ ...params, signature }));
    expect([right.status, right.text]).toEqual([200, params.echostr]);
    const wrong = await test.hub.get(url + new URLSearchParams({ ...params, signature: 'x' }));
    expect(wrong.status).toBe(403);
  });

  it('records a burst in few transactions', async () => {
    const send = async (): Promise<void> => {
      const pushes = Array.from({ length: BURST }, () => messagePush(test, textFields(test)));
      const answers = await Promise.all(pushes.map((push) => sendMessage(test, push)));
      for (const answer of answers) expectSuccess(answer);
    };
    // The first opens the connections, one after the other.
    await send();
    const before = await count();
    const transactions = vi.spyOn(test.app.get(Database), 'transaction');
    await send();
    const used = transactions.mock.calls.length;
    transactions.mockRestore();
    expect(await count()).toBe(before + BURST);
    console.log(`${BURST} messages at once on ${kind}: ${used} transactions`);
    expect(used).toBeLessThan(BURST / 4);
  });

  describe('of an account that the hub knows', () => {
    const known = 'wxaaaa000000000001';
    const other = 'wxaaaa000000000002';
    beforeAll(async () => {
      await prime(test);
      for (const [appid, userName] of [
        [known, 'gh_000000000001'],
        [other, 'gh_000000000002'],
      ] as const) {
        test.simulator.accounts.add({ appid, userName });
        await authorizeByEvent(test, appid, PLATFORM);
      }
      await infoTick(test);
    });

    it('takes its messages', async () => {
      const fields = textFields(test, { ToUserName: 'gh_000000000001' });
      expectSuccess(await pushMessage(test, fields, { account: known }));
      expect(await latest()).toMatchObject({ authorizer_appid: known });
    });

    it.each([
      ['another account', { ToUserName: 'gh_000000000002' }, {}],
      ['nobody that is known', { ToUserName: 'gh_ffffffffffff' }, {}],
      ['it, but for the outer document', {}, { outerToUserName: 'gh_000000000002' }],
    ])('refuses a message to %s', async (_, changes, options) => {
      const before = await count();
      const fields = textFields(test, { ToUserName: 'gh_000000000001', ...changes });
      const answer = await pushMessage(test, fields, { account: known, ...options });
      expectRefusal(answer, MISMATCH);
      expect(await count()).toBe(before);
    });

    it('knows a name as soon as it was fetched', async () => {
      const late = 'wxaaaa000000000003';
      const push = () => pushMessage(test, textFields(test), { account: late });
      expectSuccess(await push());
      test.simulator.accounts.add({ appid: late, userName: 'gh_000000000003' });
      await authorizeByEvent(test, late, PLATFORM);
      await infoTick(test);
      test.clock.advance(10_001);
      expectRefusal(await push(), MISMATCH);
    });
  });
});
