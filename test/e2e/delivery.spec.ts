import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  burst,
  deliveries,
  deliveryOf,
  eventArrives,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { ACCOUNT, eventFields, pushMessage, USER } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR, sql } from '../support/token-world.js';
import { isSignedBy, WebhookReceiver } from '../support/webhook-receiver.js';

describe.each(databaseKinds())('deliveries on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  it('bring a message, decrypted and signed, to the service that wants it', async () => {
    const { id, secret } = await subscribe(test, receiver);
    await arrives(test, { Content: '你好 <b> & ]]', MsgId: '9007199254740993' });
    const [call] = await receiver.arrived(1);
    expect(new Webhook(secret).verify(call!.body, call!.headers)).toMatchObject({
      type: 'message.text',
      timestamp: new Date(Math.floor(test.clock.now() / 1000) * 1000).toISOString(),
      data: {
        componentAppId: COMPONENT.appid,
        authorizerAppId: ACCOUNT,
        fromUserName: USER,
        msgType: 'text',
        fields: { Content: '你好 <b> & ]]', MsgId: '9007199254740993', MsgType: 'text' },
        raw: expect.stringContaining('<Content><![CDATA[你好 <b> & ]]'),
      },
    });
    expect(Object.keys(call?.json.data)).not.toContain('event');
    expect(Object.keys(call?.json.data)).not.toContain('infoType');
    expect(call?.headers['content-type']).toBe('application/json');
    await settled(test);
    const [delivery] = await deliveries(test, { subscription: id });
    expect(delivery).toMatchObject({ id: call?.id, status: 'delivered', attempts: 1 });
    expect(delivery.eventId).toBe(call?.json.data.id);
    expect((await deliveryOf(test, delivery.id)).history).toEqual([
      {
        at: expect.any(String),
        durationMs: expect.any(Number),
        cause: 'schedule',
        status: 200,
        error: null,
        errorRemark: null,
        hasAnswer: false,
        answer: null,
      },
    ]);
  });

  it('bring the text as it came to a service that wants it raw', async () => {
    const { secret } = await subscribe(test, receiver, { format: 'raw', kinds: ['event'] });
    await pushMessage(test, eventFields(test, 'CLICK', { EventKey: 'menu_1' }));
    const [call] = await receiver.arrived(1);
    expect(isSignedBy(call!, secret)).toBe(true);
    expect(call?.body).toMatch(/^<xml><ToUserName><!\[CDATA\[gh_.*<EventKey>.*<\/xml>$/s);
    expect(call?.headers).toMatchObject({
      'content-type': 'text/xml; charset=utf-8',
      'x-hub-push-type': 'event.CLICK',
      'x-hub-component-appid': COMPONENT.appid,
      'x-hub-authorizer-appid': ACCOUNT,
    });
  });

  it.each(['json', 'raw'])(
    'bring authorization events without the codes that the hub has used, as %s',
    async (format) => {
      await subscribe(test, receiver, { format, kinds: ['authorization'] });
      await eventArrives(test, 'notify_third_fasteregister', {
        appid: ACCOUNT,
        status: 1,
        auth_code: `queryauthcode@@@fake&code-${format}`,
      });
      await eventArrives(test, 'a_later_invention', {
        PreAuthCode: `preauthcode@@@fake-${format}`,
      });
      const calls = await receiver.arrived(2);
      const text = JSON.stringify(calls);
      expect(text).not.toContain('queryauthcode@@@');
      expect(text).not.toContain('preauthcode@@@');
      expect(calls.every(({ body }) => body.includes('[secret]'))).toBe(true);
      expect(text).toContain('authorization.a_later_invention');
    },
  );

  it('never tell anyone of tickets', async () => {
    await subscribe(test, receiver);
    await subscribe(test, receiver, { types: ['component_verify_ticket'] });
    await test.simulator.pushTicket(COMPONENT.appid);
    await eventArrives(test, 'after_the_ticket');
    const calls = await receiver.arrived(1);
    expect(calls.map(({ json }) => json.type)).toEqual(['authorization.after_the_ticket']);
    await settled(test);
    const rows = await sql(test).query(
      "SELECT * FROM delivery d JOIN callback_event e ON e.id = d.event_id WHERE e.info_type = 'component_verify_ticket'",
    );
    expect(rows).toEqual([]);
  });

  it('go to everyone whose filter means them, and to nobody else', async () => {
    const wanted = [
      await subscribe(test, receiver, { componentAppId: COMPONENT.appid }),
      await subscribe(test, receiver, { authorizerAppId: ACCOUNT, kinds: ['message'] }),
      await subscribe(test, receiver, { types: ['text', 'subscribe'] }),
    ];
    await subscribe(test, receiver, { authorizerAppId: 'wxsomebodyelse' });
    await subscribe(test, receiver, { kinds: ['event', 'authorization'] });
    await subscribe(test, receiver, { types: ['image'] });
    await subscribe(test, receiver, { enabled: false });
    await arrives(test);
    const calls = await receiver.arrived(3);
    await settled(test);
    const [first] = calls;
    const got = await deliveries(test, { event: first?.json.data.id });
    expect(got.map(({ subscriptionId }) => subscriptionId).toSorted()).toEqual(
      wanted.map(({ id }) => id).toSorted(),
    );
    expect(receiver.received).toHaveLength(3);
  });

  it('of a burst are made once each, over few connections', async () => {
    const { id } = await subscribe(test, receiver);
    await burst(test, 150);
    const calls = await receiver.arrived(150);
    await settled(test);
    expect(new Set(calls.map((call) => call.id)).size).toBe(150);
    expect(new Set(calls.map(({ json }) => json.data.id)).size).toBe(150);
    expect(new Set(calls.map(({ port }) => port)).size).toBeLessThanOrEqual(64);
    expect(await deliveries(test, { subscription: id, status: 'pending' })).toEqual([]);
    expect(await deliveries(test, { subscription: id, limit: '500' })).toHaveLength(150);
    const attempts = await sql(test).query(
      'SELECT COUNT(*) AS count FROM delivery_attempt a JOIN delivery d ON d.id = a.delivery_id WHERE d.subscription_id = ?',
      [id],
    );
    expect(Number(attempts[0].count)).toBe(150);
  });

  it('are signed by both secrets for 24 hours after a change, and by the new one from then on', async () => {
    const { id, secret: before } = await subscribe(test, receiver);
    const rotated = await test.hub.post(`/admin/subscriptions/${id}/rotate-secret`);
    const { secret: after } = rotated.json;
    expect(after).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(after).not.toBe(before);
    await arrives(test);
    await settled(test);
    test.clock.advance(24 * HOUR - 1000);
    await arrives(test);
    await settled(test);
    test.clock.advance(1000);
    await arrives(test);
    const calls = await receiver.arrived(3);
    expect(calls.map((call) => isSignedBy(call, after))).toEqual([true, true, true]);
    expect(calls.map((call) => isSignedBy(call, before))).toEqual([true, true, false]);
  });

  it('keep secrets encrypted and show them once', async () => {
    const { id, secret } = await subscribe(test, receiver);
    const again = await test.hub.post(`/admin/subscriptions/${id}/rotate-secret`);
    const secrets = [secret, again.json.secret];
    const [row] = await sql(test).query('SELECT * FROM subscription WHERE id = ?', [id]);
    expect(row.secret).toMatch(/^enc:v1:/);
    expect(row.previous_secret).toMatch(/^enc:v1:/);
    const shown = [
      JSON.stringify(row),
      (await test.hub.get(`/admin/subscriptions/${id}`)).text,
      (await test.hub.get('/admin/subscriptions')).text,
      (await test.hub.patch(`/admin/subscriptions/${id}`, { name: 'Renamed' })).text,
    ];
    for (const text of shown) {
      for (const each of secrets) expect(text).not.toContain(each.slice('whsec_'.length));
    }
  });
});
