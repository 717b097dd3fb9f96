import { beforeAll, describe, expect, it } from 'vitest';
import { ResponderService } from '../../src/delivery/responder.service.js';
import { WechatCryptoService } from '../../src/wechat-crypto/wechat-crypto.service.js';
import { gate } from '../support/gate.js';
import { authorizeByEvent, newAccount } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import {
  deliverDue,
  deliveries,
  deliveryOf,
  passToRetry,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import {
  ACCOUNT,
  eventFields,
  fieldsXml,
  pushMessage,
  textFields,
  USER,
} from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { isSignedBy, WebhookReceiver, type WebhookAnswer } from '../support/webhook-receiver.js';

const BUDGET_MS = 200;
const text = (content: string): WebhookAnswer => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ MsgType: 'text', Content: content }),
});

describe.each(databaseKinds())('a responder on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  const respondWith = (values: Record<string, unknown> = {}) =>
    subscribe(test, receiver, { mode: 'responder', budgetMs: BUDGET_MS, ...values });

  /** Content of the reply that WeChat gets; `success` where there is none. */
  async function reply(fields = textFields(test), account = ACCOUNT): Promise<string | undefined> {
    const answer = await pushMessage(test, fields, { account });
    expect(answer.status).toBe(200);
    if (!answer.text.startsWith('<')) return answer.text;
    const crypto = test.app.get(WechatCryptoService, { strict: false });
    const encrypt = String(crypto.parseXml(answer.text).Encrypt);
    const key = crypto.decodeKey(COMPONENT.encodingAesKey);
    const fieldsOf = crypto.parseXml(crypto.decrypt(key, encrypt, COMPONENT.appid));
    return fieldsOf.Content as string;
  }

  const onlyDelivery = async (): Promise<any> => {
    const [first] = await deliveries(test, { limit: '1' });
    return deliveryOf(test, first.id);
  };

  it('is called at once, and what it answers is the reply', async () => {
    const { secret } = await respondWith();
    receiver.answer(text('你好'));
    expect(await reply()).toBe('你好');
    const [call] = receiver.received;
    expect(isSignedBy(call!, secret)).toBe(true);
    expect(call?.json.type).toBe('message.text');
    await settled(test);
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ id: call?.id, status: 'delivered', attempts: 1 });
    expect(delivery.history).toEqual([
      expect.objectContaining({ cause: 'responder', status: 200, error: null }),
    ]);
  });

  it('that has nothing to say leaves success, and the message is done', async () => {
    await respondWith();
    expect(await reply()).toBe('success');
    await settled(test);
    expect(await onlyDelivery()).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  it('is one only, the one for the account before the others; subscribers are notified as well', async () => {
    const other = await WebhookReceiver.start(text('for all'));
    await respondWith({ url: other.url });
    await respondWith({ url: other.url, componentAppId: COMPONENT.appid });
    await respondWith({ authorizerAppId: ACCOUNT });
    await subscribe(test, receiver);
    receiver.answer(text('for the account'));
    expect(await reply()).toBe('for the account');
    await receiver.arrived(2);
    await settled(test);
    expect(other.received).toEqual([]);
    expect(await reply(textFields(test), 'wxanotheraccount0')).toBe('for all');
    await settled(test);
    expect(other.received).toHaveLength(1);
    await other.close();
  });

  it('of an event answers it too', async () => {
    await respondWith({ types: ['subscribe'] });
    receiver.answer(text('welcome'));
    expect(await reply(eventFields(test, 'subscribe'))).toBe('welcome');
    expect(await reply(eventFields(test, 'unsubscribe'))).toBe('success');
    expect(receiver.received).toHaveLength(1);
  });

  it('is called at once for a message on the URL of the platform, where nobody waits for it', async () => {
    await respondWith();
    receiver.answer(text('nobody'));
    const push = test.simulator.buildPush(COMPONENT.appid, fieldsXml(textFields(test)));
    expect((await test.hub.push(push)).text).toBe('success');
    await receiver.arrived(1);
    await settled(test);
    expect(await onlyDelivery()).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  it.each<[string, WebhookAnswer, number | null]>([
    ['HTML', { body: '<!doctype html><p>fake-content</p>' }, 200],
    ['malformed JSON', { body: '{"MsgType":"text","Content":"fake-content"' }, 200],
    ['a wrong type', { body: '{"MsgType":"TEXT","Content":"fake-content"}' }, 200],
    ['no type', { body: '{"Content":"fake-content"}' }, 200],
    ['no UTF-8', { body: Buffer.from('fake-content\xff', 'latin1') }, 200],
    ['2 MB', { body: 'fake-content'.repeat(175_000) }, null],
    ['an error', { status: 500, body: 'fake-content' }, 500],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 302],
    ['a broken connection', { raw: (response) => response.destroy() }, null],
  ])('that answers %s leaves success; the attempt shows why', async (_, answer, status) => {
    await respondWith({ budgetMs: 4500 });
    receiver.answer(answer);
    expect(await reply()).toBe('success');
    await settled(test);
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1 });
    expect(delivery.history).toEqual([
      expect.objectContaining({ cause: 'responder', status, error: expect.any(String) }),
    ]);
    expect(JSON.stringify(delivery)).not.toContain('fake-content');

    receiver.answer(text('usable'));
    await passToRetry(test);
    await deliverDue(test);
    expect(await onlyDelivery()).toMatchObject({ status: 'delivered', attempts: 2 });
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  });

  it('that hangs keeps WeChat waiting no longer than its budget, and is asked again', async () => {
    await respondWith();
    receiver.answer({ hang: true });
    const started = performance.now();
    expect(await reply()).toBe('success');
    expect(performance.now() - started).toBeLessThan(4000);
    await settled(test);
    expect(await onlyDelivery()).toMatchObject({
      status: 'pending',
      attempts: 1,
      lastError: 'No answer within 1000 ms',
    });
  });

  it('that answers too late is not asked again; the attempt shows that it was late', async () => {
    await respondWith();
    const { opened: until, open: release } = gate();
    receiver.answer({ ...text('too late'), until });
    expect(await reply()).toBe('success');
    const responders = test.app.get(ResponderService);
    const pushId = receiver.received[0]?.json.data.id;
    expect(await responders.isReplyAwaited(pushId)).toBe(true);
    release();
    await settled(test);
    expect(await responders.isReplyAwaited(pushId)).toBe(false);
    const delivery = await onlyDelivery();
    expect(delivery).toMatchObject({ status: 'delivered', attempts: 1 });
    expect(delivery.history[0]).toMatchObject({
      status: 200,
      error: 'The answer came too late for WeChat',
    });
  });

  it('that answers too late can have its text sent as a customer-service message', async () => {
    await test.simulator.pushTicket(COMPONENT.appid);
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    await settled(test);
    await respondWith({ lateReply: true, kinds: ['message'] });
    const { opened: until, open: release } = gate();
    receiver.answer({ ...text('late, but here'), until });
    expect(await reply(textFields(test), account)).toBe('success');
    release();
    await settled(test);
    expect(test.simulator.customMessages.last()).toEqual([
      expect.objectContaining({ account, body: expect.objectContaining({ touser: USER }) }),
    ]);
    const [sent] = test.simulator.customMessages.last();
    expect(sent?.body).toMatchObject({ msgtype: 'text', text: { content: 'late, but here' } });
    expect(await onlyDelivery()).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  it('is not waited for when the message has waited as long already', async () => {
    await respondWith();
    const responders = test.app.get(ResponderService);
    const seen: Record<string, unknown>[] = [];
    const respond = responders.respond.bind(responders);
    responders.respond = (push, leftMs) => {
      seen.push({ id: push.id });
      test.clock.advance(BUDGET_MS);
      return respond(push, leftMs);
    };
    try {
      receiver.answer({ ...text('too late'), delayMs: 50 });
      expect(await reply()).toBe('success');
    } finally {
      responders.respond = respond;
    }
    expect(seen).toHaveLength(1);
  });

  it('of a host that was killed meanwhile is called by the host that takes over', async () => {
    const { id } = await respondWith();
    const responders = test.app.get(ResponderService);
    const respond = responders.respond.bind(responders);
    responders.respond = async () => undefined;
    await reply().finally(() => (responders.respond = respond));
    expect(receiver.received).toEqual([]);
    await deliverDue(test);
    expect(receiver.received).toEqual([]);
    test.clock.advance(20_000);
    await deliverDue(test);
    expect(receiver.received).toHaveLength(1);
    expect(await deliveries(test, { subscription: id, status: 'delivered' })).toHaveLength(1);
  });
});
