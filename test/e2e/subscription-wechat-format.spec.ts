import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  decryptReply,
  encryptPush,
  signMessage,
  signQuery,
} from '../../simulator/wechat-push-crypto.js';
import {
  authorizerTick,
  detailOf,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliverDue,
  deliveries,
  deliveryHub,
  deliveryOf,
  eventArrives,
  passToRetry,
  settled,
  subscribe,
  subscriptionOf,
  unsubscribeAll,
} from '../support/delivery-world.js';
import { EasyWechatService } from '../support/subscription-wechat-service.js';
import { elementOf, openReply } from '../support/message-crypto.js';
import {
  ACCOUNT,
  eventFields,
  fieldsXml,
  jsonPush,
  pushMessage,
  sendMessage,
  textFields,
  USER,
  USER_NAME,
} from '../support/message-pushes.js';
import { recordedMessages, replyText } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { calls, prime, sql } from '../support/token-world.js';
import { WebhookReceiver, type ReceivedWebhook } from '../support/webhook-receiver.js';
import { apiKey, sdkCall } from '../support/wx-world.js';

/** Text in the place of a ticket. */
const KEPT = 'kept_by_the_hub';
const STAND_IN = /^[\w-]{33,512}$/;
const KEYS = { token: 'aTokenOfTheSubscription', encodingAesKey: `${'Abc0'.repeat(10)}AbA` };
const WECHAT = { format: 'wechat', componentAppId: PLATFORM };

describe.each(databaseKinds())("a subscription in WeChat's own format on %s", (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await deliveryHub({ database: kind });
    await prime(test);
  });
  afterAll(() => test?.close());

  describe('for the server of node-easywechat, as it is', () => {
    let service: EasyWechatService;
    let account: string;
    let key: string;
    const handled = (infoType: string) =>
      service.handled.findLast(({ InfoType }) => InfoType === infoType);
    beforeAll(async () => {
      service = await EasyWechatService.start();
      account = newAccount(test);
      ({ key } = await apiKey(test));
      const { token, encodingAesKey } = await subscribe(
        test,
        { url: `${service.url}/events` },
        { ...WECHAT, kinds: ['authorization'] },
      );
      expect(token).toMatch(/^[A-Za-z0-9]{32}$/);
      expect(encodingAesKey).toMatch(/^[A-Za-z0-9]{42}[AEIMQUYcgkosw048]$/);
      await subscribe(
        test,
        { url: `${service.url}/$APPID$/messages` },
        { ...WECHAT, mode: 'responder', kinds: ['message'], token, encodingAesKey },
      );
      const wx = `${test.hub.url}/wx`;
      service.settings = { appid: PLATFORM, secret: key, token, encodingAesKey, wx };
    });
    afterAll(async () => {
      service.close();
      await settled(test);
      await unsubscribeAll(test);
    });

    it('fills the storage of tickets with a stand-in, by which the SDK calls WeChat', async () => {
      await test.simulator.pushTicket(PLATFORM);
      await settled(test);
      const [ticket] = service.cache.values.values();
      expect(ticket).toBe(KEPT);
      expect(await service.platform().createPreAuthorizationCode()).toMatchObject({
        pre_auth_code: expect.stringMatching(/^preauthcode@@@/),
      });
    });

    it('brings an authorization, whose code the SDK exchanges once more', async () => {
      const { code } = await test.simulator.accounts.authorize(PLATFORM, account, { push: true });
      await settled(test);
      const event = handled('authorized');
      expect(event).toMatchObject({
        AppId: PLATFORM,
        AuthorizerAppid: account,
        PreAuthCode: KEPT,
        AuthorizationCode: expect.stringMatching(STAND_IN),
      });
      expect(JSON.stringify(event)).not.toContain(code);
      const app = service.platform();
      const authorization = await app.getAuthorization(event?.AuthorizationCode);
      expect(authorization.getAppId()).toBe(account);
      const official = await app.getOfficialAccountWithRefreshToken(
        account,
        authorization.getRefreshToken(),
      );
      const json = { touser: USER, msgtype: 'text', text: { content: 'welcome' } };
      const sent = await official.getClient().post('cgi-bin/message/custom/send', { json });
      expect(sent.toObject()).toMatchObject({ errcode: 0 });
      expect(calls(test, QUERY_AUTH)).toBe(1);
    });

    it('has its code answered to a key of that account only, for that platform', async () => {
      const code = handled('authorized')?.AuthorizationCode;
      const other = await apiKey(test, { authorizerAppIds: [ACCOUNT] });
      const tokenOf = async (secret: string): Promise<string> => {
        const body = { component_appid: PLATFORM, component_appsecret: secret };
        const { json } = await sdkCall(test, 'cgi-bin/component/api_component_token', body);
        return json.component_access_token as string;
      };
      const query = async (secret: string, authorization_code?: string): Promise<any> => {
        const path = `cgi-bin/component/api_query_auth?component_access_token=${await tokenOf(secret)}`;
        return (await sdkCall(test, path, { component_appid: PLATFORM, authorization_code })).json;
      };
      expect(await query(other.key, code)).toMatchObject({ errcode: 61003 });
      expect(await query(key, `${code?.slice(0, -1)}_`)).toMatchObject({ errcode: 61010 });
      expect(await query(key, code)).toMatchObject({
        authorization_info: { authorizer_appid: account },
      });
      test.clock.advance(3_601_000);
      expect(await query(key, code)).toMatchObject({ errcode: 61010 });
    });

    it('has its encrypted reply reach the user', async () => {
      const answer = await pushMessage(test, textFields(test, { Content: '你好 <&>' }), {
        account,
      });
      expect(replyText(answer)).toBe('echo 你好 <&>');
      expect(service.handled.at(-1)).toMatchObject({ account, Content: '你好 <&>' });
    });

    it('leaves success where it says nothing', async () => {
      service.reply = () => '';
      expect(replyText(await pushMessage(test, textFields(test), { account }))).toBe('200 success');
    });

    it('is given its withdrawal', async () => {
      await test.simulator.accounts.withdraw(PLATFORM, account);
      await settled(test);
      expect(handled('unauthorized')).toMatchObject({ AuthorizerAppid: account });
      expect(await detailOf(test, account)).toMatchObject({ status: 'revoked' });
    });
  });

  describe('on the wire', () => {
    let receiver: WebhookReceiver;
    beforeAll(async () => {
      receiver = await WebhookReceiver.start();
    });
    beforeEach(async () => {
      await settled(test);
      await unsubscribeAll(test);
      receiver.clear();
      receiver.answer({});
    });
    afterAll(() => receiver.close());

    const add = (values: object = {}, path = '/hook'): Promise<any> =>
      subscribe(
        test,
        { url: `http://127.0.0.1:${receiver.port}${path}` },
        { ...WECHAT, ...KEYS, ...values },
      );
    const lastCall = (): ReceivedWebhook => receiver.received.at(-1) as ReceivedWebhook;

    /** A call as WeChat's documentation has a service read it: checked, then decrypted. */
    function open({ path, body, headers }: ReceivedWebhook, keys = KEYS) {
      const { pathname, searchParams } = new URL(path, 'http://service');
      const query = Object.fromEntries(searchParams);
      const { timestamp = '', nonce = '', signature, msg_signature } = query;
      const json = body.startsWith('{') ? JSON.parse(body) : undefined;
      const field = (name: string): string | undefined => json?.[name] ?? elementOf(body, name);
      const encrypt = field('Encrypt') ?? '';
      expect(signature).toBe(signQuery(keys.token, timestamp, nonce));
      expect(msg_signature).toBe(signMessage(keys.token, timestamp, nonce, encrypt));
      expect(headers).not.toHaveProperty('webhook-signature');
      const { message, tailId } = decryptReply(keys.encodingAesKey, encrypt);
      expect(tailId).toBe(PLATFORM);
      const names = { toUserName: field('ToUserName'), appId: field('AppId') };
      return { pathname, query, message, ...names };
    }

    it('a message has the query and the envelope of WeChat, and its text as it came', async () => {
      await add({}, '/wx/$APPID$/callback?mine=1&for=$APPID$');
      await arrives(test, { Content: '中文 ]]> & <b>' });
      await settled(test);
      const call = lastCall();
      expect(call.headers['content-type']).toBe('text/xml');
      const { pathname, query, message, toUserName, appId } = open(call);
      expect(pathname).toBe(`/wx/${ACCOUNT}/callback`);
      expect(query).toEqual({
        mine: '1',
        for: ACCOUNT,
        signature: expect.any(String),
        timestamp: String(Math.floor(test.clock.now() / 1000)),
        nonce: expect.stringMatching(/^\d+$/),
        openid: USER,
        encrypt_type: 'aes',
        msg_signature: expect.any(String),
      });
      expect([toUserName, appId]).toEqual([USER_NAME, undefined]);
      expect(message).toBe((await recordedMessages(test)).at(-1)?.payload);
    });

    it('an event of an authorization is for the platform, and names no user', async () => {
      await add({}, '/$APPID$');
      const account = newAccount(test);
      await eventArrives(test, 'unauthorized', { AuthorizerAppid: account });
      await settled(test);
      const { pathname, query, toUserName, appId, message } = open(lastCall());
      expect([pathname, toUserName, appId]).toEqual([`/${account}`, undefined, PLATFORM]);
      expect(query).not.toHaveProperty('openid');
      expect(elementOf(message, 'InfoType')).toBe('unauthorized');
    });

    it('a code is a stand-in, the same at every attempt; so is the webhook-id', async () => {
      await add();
      receiver.answer({ status: 500 });
      await eventArrives(test, 'authorized', {
        AuthorizerAppid: newAccount(test),
        AuthorizationCode: 'queryauthcode@@@fake',
        PreAuthCode: 'preauthcode@@@fake',
      });
      await settled(test);
      receiver.answer({});
      await passToRetry(test);
      await deliverDue(test);
      const [first, second] = receiver.received as [ReceivedWebhook, ReceivedWebhook];
      expect(second.id).toBe(first.id);
      expect(second.body).not.toBe(first.body);
      expect(open(second).message).toBe(open(first).message);
      const { message } = open(second);
      expect(elementOf(message, 'AuthorizationCode')).toMatch(STAND_IN);
      expect(elementOf(message, 'PreAuthCode')).toBe(KEPT);
      expect(message).not.toContain('@@@');
      await authorizerTick(test);
    });

    it('a ticket comes in this format only, and only where it is wanted', async () => {
      await add({ kinds: ['message'] });
      await add({ types: ['authorized'] });
      await subscribe(test, receiver);
      await test.simulator.pushTicket(PLATFORM);
      await settled(test);
      expect(receiver.received).toEqual([]);
      await add({ types: ['component_verify_ticket'] }, '/tickets/$APPID$');
      await test.simulator.pushTicket(PLATFORM);
      await settled(test);
      const { pathname, message } = open(lastCall());
      expect(receiver.received).toHaveLength(1);
      expect(pathname).toBe(`/tickets/${PLATFORM}`);
      expect(elementOf(message, 'ComponentVerifyTicket')).toBe(KEPT);
      expect(message).not.toContain('ticket@@@');
    });

    it('a JSON push comes in a JSON envelope, and is answered in one', async () => {
      await add({ mode: 'responder' });
      receiver.answer((call) => {
        const { message } = open(call);
        const { FromUserName } = JSON.parse(message);
        const text = JSON.stringify({ MsgType: 'text', Content: `to ${FromUserName}` });
        return { body: encrypted(text, true) };
      });
      const push = jsonPush(test, JSON.stringify(textFields(test)));
      const answer = await sendMessage(test, push);
      expect(open(lastCall()).toUserName).toBe(USER_NAME);
      expect(lastCall().headers['content-type']).toBe('text/xml');
      expect(JSON.parse(openReply(answer.text).xml)).toMatchObject({
        ToUserName: USER,
        Content: `to ${USER}`,
      });
    });

    it('a sample is sent, for the platform a ticket', async () => {
      const { id } = await add();
      for (const [kindOfPush, name, value] of [
        ['authorization', 'ComponentVerifyTicket', KEPT],
        ['event', 'Event', 'subscribe'],
        ['message', 'MsgType', 'text'],
      ] as const) {
        const { json } = await test.hub.post(`/admin/subscriptions/${id}/test`, {
          kind: kindOfPush,
        });
        expect(json).toMatchObject({ status: 200, error: null });
        expect(elementOf(open(lastCall()).message, name)).toBe(value);
      }
    });

    /** A reply as SDKs make it: an envelope of XML with line breaks, or of JSON. */
    function encrypted(message: string, json = false): string {
      const plaintext = { message, random: randomBytes(16), tailId: PLATFORM };
      const Encrypt = encryptPush({ ...plaintext, encodingAesKey: KEYS.encodingAesKey });
      const [TimeStamp, Nonce] = [1700000000, 'n0'];
      const MsgSignature = signMessage(KEYS.token, String(TimeStamp), Nonce, Encrypt);
      const envelope = { Encrypt, MsgSignature, TimeStamp, Nonce };
      return json ? JSON.stringify(envelope) : fieldsXml(envelope);
    }

    it('a reply that is not encrypted reaches nobody, and the attempt says so', async () => {
      await add({ mode: 'responder' });
      receiver.answer({ body: '<xml><MsgType>text</MsgType><Content>yes</Content></xml>' });
      expect(replyText(await pushMessage(test, textFields(test)))).toBe('200 success');
      await settled(test);
      const [{ id }] = await deliveries(test, { limit: '1' });
      const { status, history } = await deliveryOf(test, id);
      expect(status).toBe('pending');
      expect(history.at(-1).error).toBe('The answer is no reply: it is not encrypted');
    });

    it('a result of an event goes to WeChat as it is', async () => {
      await add({ mode: 'responder' });
      const result = '<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>';
      receiver.answer({ body: encrypted(result) });
      const answer = await pushMessage(test, eventFields(test, 'xpay_goods_deliver_notify'));
      expect(openReply(answer.text).xml).toBe(result);
    });

    it('a replay is posted again in the same form', async () => {
      await add();
      await arrives(test);
      await settled(test);
      const [{ id }] = await deliveries(test, { limit: '1' });
      await test.hub.post(`/admin/deliveries/${id}/replay`);
      const [first, second] = receiver.received as [ReceivedWebhook, ReceivedWebhook];
      expect(second.id).toBe(first.id);
      expect(open(second).message).toBe(open(first).message);
    });

    it('Token and key are shown once, stored encrypted, and count at once when they are changed', async () => {
      const { id, secret } = await add();
      const shown = await subscriptionOf(test, id);
      for (const name of ['secret', 'token', 'encodingAesKey'])
        expect(shown).not.toHaveProperty(name);
      const [row] = await sql(test).query('SELECT * FROM subscription');
      expect(row.token).toMatch(/^enc:v1:/);
      expect(row.encoding_aes_key).toMatch(/^enc:v1:/);

      const { json } = await test.hub.post(`/admin/subscriptions/${id}/rotate-secret`);
      expect(json).toMatchObject({ previousSecretUntil: null, format: 'wechat' });
      expect(json.secret).not.toBe(secret);
      expect(json.token).not.toBe(KEYS.token);
      await arrives(test);
      await settled(test);
      open(lastCall(), json);

      const token = 'aThirdToken';
      const changed = await test.hub.patch(`/admin/subscriptions/${id}`, { token });
      expect(changed.status).toBe(200);
      await arrives(test);
      await settled(test);
      open(lastCall(), { ...json, token });
    });

    it('one whose key cannot be read waits for it, whatever its other secret is', async () => {
      const { id } = await add();
      await sql(test).query("UPDATE subscription SET encoding_aes_key = 'enc:v1:gone:xxxx'");
      await test.hub.patch(`/admin/subscriptions/${id}`, { name: 'Renamed' });
      expect((await subscriptionOf(test, id)).error).toMatchObject({ code: 'secret_unreadable' });
      await arrives(test);
      await settled(test);
      expect(receiver.received).toEqual([]);
      await test.hub.patch(`/admin/subscriptions/${id}`, { encodingAesKey: KEYS.encodingAesKey });
      await eventually('the delivery', async () => {
        await deliverDue(test);
        return receiver.received.length === 1 || undefined;
      });
      open(lastCall());
    });

    it('needs a platform, a Token and a key; no other format has them', async () => {
      const refusal = async (values: object): Promise<string> => {
        const body = { name: 'A service', url: receiver.url, ...values };
        const { status, json } = await test.hub.post('/admin/subscriptions', body);
        return `${status} ${json.error?.code}: ${json.error?.message}`;
      };
      expect(await refusal({ format: 'wechat' })).toMatch(
        /^400 subscription_invalid.*componentAppId/,
      );
      expect(await refusal({ token: 'aToken' })).toMatch(
        /^400 subscription_invalid.*format wechat/,
      );
      expect(await refusal({ ...WECHAT, token: 'with space' })).toMatch(/^400 /);
      expect(await refusal({ ...WECHAT, encodingAesKey: 'short' })).toMatch(/^400 /);

      const { id } = await subscribe(test, receiver);
      const change = async (values: object): Promise<number> =>
        (await test.hub.patch(`/admin/subscriptions/${id}`, values)).status;
      expect(await change(WECHAT)).toBe(400);
      expect(await change({ ...WECHAT, token: KEYS.token })).toBe(400);
      expect(await change({ ...WECHAT, ...KEYS })).toBe(200);
      expect(await change({ componentAppId: null })).toBe(400);
      expect(await change({ format: 'raw' })).toBe(200);
      expect(await change({ format: 'wechat' })).toBe(200);
    });
  });
});
