import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authorizeByEvent, newAccount } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliveryHub,
  eventArrives,
  settled,
  subscribe,
} from '../support/delivery-world.js';
import { unsubscribeAll } from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import {
  ACCOUNT,
  eventFields,
  jsonPush,
  pushMessage,
  sendMessage,
  textFields,
  USER,
} from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { prime, SECOND, sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const AUTH_CODE = 'queryauthcode@@@fake-code-of-the-test';

/** A page of the store. */
async function events({ hub }: TestApp, query: Record<string, string> = {}): Promise<any[]> {
  const answer = await hub.get(`/admin/events?${new URLSearchParams(query)}`);
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json.events;
}

async function newest(test: TestApp): Promise<any> {
  return (await events(test, { limit: '1' }))[0];
}

describe.each(databaseKinds())('/admin/events on %s', (kind) => {
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    test = await deliveryHub({ database: kind });
    receiver = await WebhookReceiver.start();
    await prime(test);
  });
  beforeEach(async () => {
    await settled(test);
    await unsubscribeAll(test);
    receiver.clear();
    receiver.answer({});
    await sql(test).query('DELETE FROM callback_event');
    test.clock.advance(SECOND);
  });
  afterAll(async () => {
    await test.close();
    await receiver.close();
  });

  const detail = (id: string) => test.hub.get(`/admin/events/${id}`);
  const iso = (): string => new Date(test.clock.now()).toISOString();

  it('need the admin token', async () => {
    const headers = { authorization: 'Bearer fake-wrong' };
    for (const path of ['/admin/events', '/admin/events/some-id']) {
      expect((await test.hub.request('GET', path, { headers })).status).toBe(401);
    }
  });

  it('list pushes of both URLs, newest first, with what is known without their content', async () => {
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    await arrives(test, { Content: 'nobody may read this' }, account);
    await pushMessage(test, eventFields(test, 'CLICK', { EventKey: 'menu' }));
    const { hub } = test;
    const { text, json } = await hub.get('/admin/events');
    expect(json).toMatchObject({
      next: null,
      events: [
        {
          kind: 'event',
          componentAppId: COMPONENT.appid,
          authorizerAppId: ACCOUNT,
          unknownAccount: true,
          infoType: null,
          msgType: 'event',
          event: 'CLICK',
        },
        { kind: 'message', authorizerAppId: account, unknownAccount: false, msgType: 'text' },
        {
          kind: 'authorization',
          authorizerAppId: account,
          unknownAccount: false,
          infoType: 'authorized',
          msgType: null,
          fromUser: null,
        },
      ],
    });
    expect(json.events[1]).toMatchObject({
      event: null,
      fromUser: USER,
      createTime: new Date(Math.floor(test.clock.now() / 1000) * 1000).toISOString(),
      receivedAt: iso(),
      outcome: 'success',
      deliveryCounts: { pending: 0, delivered: 0, dead: 0, cancelled: 0 },
    });
    expect(text).not.toContain('nobody may read this');
  });

  it('find pushes by platform, account, kind, type, user and time', async () => {
    await eventArrives(test, 'notify_third_fastverifybetaapp');
    await arrives(test);
    test.clock.advance(10 * SECOND);
    const from = iso();
    await arrives(test, { MsgType: 'image' }, 'wx1111111111111111');
    await arrives(test, { FromUserName: 'oOtherUser' });
    test.clock.advance(10 * SECOND);
    const to = iso();
    await pushMessage(test, eventFields(test, 'subscribe', { FromUserName: 'oOtherUser' }));
    const [subscribed, other, image, text, verified] = (await events(test)).map(({ id }) => id);
    for (const [query, expected] of [
      [{ component: COMPONENT.appid }, [subscribed, other, image, text, verified]],
      [{ component: 'wx0000000000000000' }, []],
      [{ account: ACCOUNT }, [subscribed, other, text]],
      [{ account: 'wx1111111111111111' }, [image]],
      [{ kind: 'event' }, [subscribed]],
      [{ kind: 'authorization' }, [verified]],
      [{ type: 'text' }, [other, text]],
      [{ type: 'subscribe' }, [subscribed]],
      [{ type: 'SUBSCRIBE' }, []],
      [{ type: 'notify_third_fastverifybetaapp' }, [verified]],
      [{ user: 'oOtherUser' }, [subscribed, other]],
      [{ user: 'ootheruser' }, []],
      [{ user: 'oOtherUser', account: ACCOUNT, kind: 'message' }, [other]],
      [{ from }, [subscribed, other, image]],
      [{ to: from }, [text, verified]],
      [{ from, to, account: ACCOUNT }, [other]],
    ] as [Record<string, string>, string[]][]) {
      expect({ query, ids: (await events(test, query)).map(({ id }) => id) }).toEqual({
        query,
        ids: expected,
      });
    }
  });

  it('takes times with an offset, as the audit trail does', async () => {
    const day = encodeURIComponent('2026-11-22T08:00:00+08:00');
    for (const list of ['events', 'audit']) {
      expect((await test.hub.get(`/admin/${list}?from=${day}&to=${day}`)).status).toBe(200);
    }
  });

  it.each([
    'events',
    'audit',
    'deliveries',
    'refused-pushes',
    'authorizations/events',
    `tickets/${COMPONENT.appid}/history`,
  ])('the pages of %s go on from any id, and from the start', async (list) => {
    for (const before of ['', 'no-uuid', crypto.randomUUID()]) {
      expect((await test.hub.get(`/admin/${list}?before=${before}`)).status).toBe(200);
    }
    expect((await test.hub.get(`/admin/${list}?before=${'x'.repeat(37)}`)).status).toBe(400);
  });

  it.each(['limit=0', 'limit=201', 'kind=other', 'from=yesterday', 'to=1795337490', 'user='])(
    'refuse a list with %s',
    async (query) => {
      const { status, json } = await test.hub.get(`/admin/events?${query}`);
      expect({ status, code: json.error.code }).toEqual({ status: 400, code: 'bad_request' });
    },
  );

  it('page without leaving one out or showing one twice while others arrive', async () => {
    for (let count = 0; count < 5; count += 1) await arrives(test);
    const all = (await events(test)).map(({ id }) => id);
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const before: string = next === '' ? '' : `&before=${next}`;
      const { json } = await test.hub.get(`/admin/events?limit=2${before}`);
      seen.push(...json.events.map(({ id }: { id: string }) => id));
      next = json.next;
      await arrives(test);
    }
    expect(seen).toEqual(all);
  });

  it('show a message with its fields, its text, its deliveries and their attempts', async () => {
    const { id: taken } = await subscribe(test, receiver, { name: 'Well' });
    const down = await WebhookReceiver.start({ status: 500 });
    const { id: refused } = await subscribe(test, down, { name: 'Ill' });
    await arrives(test, { Content: '你好 <b> & ]]', MsgId: '9007199254740993' });
    await settled(test);
    const listed = await newest(test);
    expect(listed.deliveryCounts).toEqual({ pending: 1, delivered: 1, dead: 0, cancelled: 0 });
    const { status, json } = await detail(listed.id);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      ...listed,
      sourceAddress: '127.0.0.1',
      keyUsed: 'current',
      format: 'xml',
      fields: { Content: '你好 <b> & ]]', MsgId: '9007199254740993', FromUserName: USER },
      reply: null,
      unreadable: null,
    });
    expect(json.raw).toMatch(/^<xml>.*你好.*<\/xml>$/s);
    const bySubscription = new Map(
      json.deliveries.map((one: { subscriptionId: string }) => [one.subscriptionId, one]),
    );
    expect(bySubscription.get(taken)).toMatchObject({
      status: 'delivered',
      eventId: listed.id,
      history: [{ cause: 'schedule', status: 200, error: null }],
    });
    expect(bySubscription.get(refused)).toMatchObject({
      status: 'pending',
      history: [{ status: 500, error: expect.stringContaining('500') }],
    });
    expect(bySubscription.size).toBe(2);
    await down.close();
  });

  it('show the JSON that shops send as it came', async () => {
    const text = JSON.stringify({ ...textFields(test), MsgId: 9_007_199_254 });
    await sendMessage(test, jsonPush(test, text));
    const { json } = await detail((await newest(test)).id);
    expect(json).toMatchObject({ format: 'json', raw: text, fields: { MsgType: 'text' } });
  });

  it('show what a user was answered', async () => {
    receiver.answer({ body: JSON.stringify({ MsgType: 'text', Content: 'the reply' }) });
    await subscribe(test, receiver, { mode: 'responder' });
    await pushMessage(test, textFields(test));
    const { json } = await detail((await newest(test)).id);
    expect(json.outcome).toBe('reply');
    expect(json.reply).toContain('<![CDATA[the reply]]>');
  });

  it('leave a record of who was shown a content, and none where there was none', async () => {
    await arrives(test);
    const { id } = await newest(test);
    const audited = () =>
      sql(test).query("SELECT target FROM audit_record WHERE action = 'event.reveal'");
    await sql(test).query("DELETE FROM audit_record WHERE action = 'event.reveal'");
    expect(await audited()).toEqual([]);
    await detail(id);
    const missing = await detail('0199a3f0-7c1d-7a54-9c1d-0a1b2c3d4e5f');
    expect({ status: missing.status, code: missing.json.error.code }).toEqual({
      status: 404,
      code: 'event_unknown',
    });
    expect(await audited()).toEqual([{ target: id }]);
  });

  it('show neither codes nor tickets', async () => {
    const { ticket = '' } = await test.simulator.pushTicket(COMPONENT.appid);
    expect(ticket).toMatch(/^ticket@@@/);
    const pushed = await detail((await newest(test)).id);
    expect(pushed.json.fields).toMatchObject({
      InfoType: 'component_verify_ticket',
      ComponentVerifyTicket: '[secret]',
    });
    expect(pushed.json.raw).toContain('[secret]');
    expect(pushed.text).not.toContain(ticket);
    await eventArrives(test, 'authorized', {
      AuthorizerAppid: ACCOUNT,
      AuthorizationCode: AUTH_CODE,
      PreAuthCode: 'preauthcode@@@fake',
    });
    const authorized = await detail((await newest(test)).id);
    expect(authorized.json.fields).toMatchObject({
      AuthorizerAppid: ACCOUNT,
      AuthorizationCode: '[secret]',
      PreAuthCode: '[secret]',
    });
    expect(authorized.text).not.toMatch(/fake-code-of-the-test|preauthcode@@@/);
  });

  it('say of a push that cannot be read why, and show the rest', async () => {
    await subscribe(test, receiver);
    await arrives(test);
    await settled(test);
    const { id } = await newest(test);
    for (const payload of [`enc:v1:lost:${'A'.repeat(60)}`, 'enc:v1:t1:AAAA']) {
      await sql(test).query('UPDATE callback_event SET payload = ? WHERE id = ?', [payload, id]);
      expect(await newest(test)).toMatchObject({ id, msgType: 'text' });
      const { status, json } = await detail(id);
      expect(status).toBe(200);
      expect(json).toMatchObject({
        id,
        fromUser: USER,
        format: null,
        fields: null,
        raw: null,
        unreadable: { code: 'secret_unreadable', message: expect.stringContaining(id) },
        deliveries: [{ status: 'delivered' }],
      });
    }
  });
});
