import { beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import {
  arrives,
  deliveries,
  settled,
  subscribe,
  subscriptionOf,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import { isSignedBy, WebhookReceiver } from '../support/webhook-receiver.js';

describe.each(databaseKinds())('/admin/subscriptions and /admin/deliveries on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeAll(() => void ({ test, receiver } = world));

  const post = (path: string, body?: unknown) => test.hub.post(path, body);
  const audited = async (target: string): Promise<string[]> => {
    const done = "SELECT action FROM audit_record WHERE target = ? AND outcome = 'ok' ORDER BY id";
    const rows = await sql(test).query(done, [target]);
    return rows.map(({ action }: { action: string }) => action);
  };

  it('need the admin token', async () => {
    const headers = { authorization: 'Bearer fake-wrong' };
    for (const path of ['/admin/subscriptions', '/admin/deliveries']) {
      expect((await test.hub.request('GET', path, { headers })).status).toBe(401);
    }
    const init = { headers: { ...headers, 'content-type': 'application/json' }, body: '{}' };
    expect((await test.hub.request('POST', '/admin/subscriptions', init)).status).toBe(401);
  });

  it('add a subscription with the usual values, show it, change it, and remove it', async () => {
    const added = await subscribe(test, receiver, { name: 'Orders' });
    const { secret, ...shown } = added;
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(shown).toMatchObject({
      name: 'Orders',
      url: receiver.url,
      mode: 'subscriber',
      format: 'json',
      componentAppId: null,
      authorizerAppId: null,
      kinds: null,
      types: null,
      ordered: false,
      lateReply: false,
      splitText: true,
      budgetMs: 4500,
      enabled: true,
      failingSince: null,
      disabledReason: null,
      previousSecretUntil: null,
    });
    expect(await subscriptionOf(test, added.id)).toEqual(shown);
    const change = { name: 'Sales', types: ['text', 'CLICK'], kinds: ['message'], format: 'raw' };
    const changed = await test.hub.patch(`/admin/subscriptions/${added.id}`, change);
    expect(changed.json).toMatchObject({ ...shown, ...change });
    const cleared = await test.hub.patch(`/admin/subscriptions/${added.id}`, { types: null });
    expect(cleared.json).toMatchObject({ types: null, kinds: ['message'] });
    await test.hub.request('DELETE', `/admin/subscriptions/${added.id}`);
    expect((await test.hub.get('/admin/subscriptions')).json).toEqual([]);
    expect(await audited(added.id)).toEqual([
      'subscription.change',
      'subscription.change',
      'subscription.delete',
    ]);
    expect(await audited('Orders')).toContain('subscription.add');
  });

  it.each([
    ['a private address', { url: 'http://10.0.0.1/' }, 'target_refused'],
    ['a private address in disguise', { url: 'http://0x7f.2/' }, 'target_refused'],
    ['the metadata service', { url: 'http://169.254.169.254/' }, 'target_refused'],
    ['a password in the URL', { url: 'https://u:p@service.example.com/' }, 'target_refused'],
    ['another protocol', { url: 'ftp://service.example.com/' }, 'target_refused'],
    ['port 0', { url: 'https://service.example.com:0/' }, 'target_refused'],
    ['no URL', { url: 'service' }, 'target_refused'],
    ['no name', { name: '' }, 'bad_request'],
    ['a name with what is not seen', { name: 'a\u200bb' }, 'bad_request'],
    ['an unknown kind', { kinds: ['other'] }, 'bad_request'],
    ['an empty list', { types: [] }, 'bad_request'],
    ['a budget that WeChat does not wait for', { budgetMs: 4501 }, 'bad_request'],
    ['a field that there is not', { secret: 'whsec_fake' }, 'bad_request'],
    ['a responder in order', { mode: 'responder', ordered: true }, 'subscription_invalid'],
    [
      'a responder of authorization events',
      { mode: 'responder', kinds: ['authorization'] },
      'subscription_invalid',
    ],
  ])('refuse a subscription with %s, new or changed', async (_, values, code) => {
    const { id } = await subscribe(test, receiver);
    const before = await subscriptionOf(test, id);
    const name = `Refused with ${code}`;
    const body = { name, url: receiver.url, ...values };
    const records = (await audited(name)).length + (await audited(id)).length;
    for (const answer of [
      await post('/admin/subscriptions', body),
      await test.hub.patch(`/admin/subscriptions/${id}`, values),
    ]) {
      expect({ status: answer.status, code: answer.json.error.code }).toEqual({
        status: 400,
        code,
      });
    }
    expect(await subscriptionOf(test, id)).toEqual(before);
    expect((await audited(name)).length + (await audited(id)).length).toBe(records);
  });

  it('answer 404 for what is not there', async () => {
    const none = '0199a3f0-0000-7000-8000-000000000000';
    for (const answer of [
      await test.hub.get(`/admin/subscriptions/${none}`),
      await test.hub.patch(`/admin/subscriptions/${none}`, { enabled: true }),
      await test.hub.request('DELETE', `/admin/subscriptions/${none}`),
      await post(`/admin/subscriptions/${none}/test`),
      await post(`/admin/subscriptions/${none}/rotate-secret`),
    ]) {
      expect(answer.json.error.code).toBe('subscription_unknown');
      expect(answer.status).toBe(404);
    }
    expect((await test.hub.get(`/admin/deliveries/${none}`)).json.error.code).toBe(
      'delivery_unknown',
    );
    expect((await post(`/admin/deliveries/${none}/replay`)).status).toBe(404);
  });

  it('send a sample of each kind and show how it went, storing nothing', async () => {
    const { id, secret } = await subscribe(test, receiver, { enabled: false });
    for (const sample of ['message', 'event', 'authorization']) {
      const { json } = await post(`/admin/subscriptions/${id}/test`, { kind: sample });
      expect(json).toMatchObject({ taken: true, status: 200, error: null, reply: false });
    }
    expect(receiver.received.map(({ json }) => json.type)).toEqual([
      'message.text',
      'event.subscribe',
      'authorization.updateauthorized',
    ]);
    expect(receiver.received.every((call) => isSignedBy(call, secret))).toBe(true);
    receiver.answer({ status: 500 });
    const failed = await post(`/admin/subscriptions/${id}/test`);
    expect(failed).toMatchObject({
      status: 200,
      json: { taken: false, status: 500, error: 'The target answered HTTP 500' },
    });
    expect(await deliveries(test, { subscription: id })).toEqual([]);
    expect((await subscriptionOf(test, id)).failingSince).toBeNull();
  });

  it('show by a test whether a responder answers what WeChat can be given', async () => {
    const { id } = await subscribe(test, receiver, { mode: 'responder' });
    receiver.answer({ body: JSON.stringify({ MsgType: 'text', Content: 'hello' }) });
    expect((await post(`/admin/subscriptions/${id}/test`)).json).toMatchObject({
      taken: true,
      reply: true,
    });
    receiver.answer({ body: '<html>' });
    expect((await post(`/admin/subscriptions/${id}/test`)).json).toMatchObject({
      taken: false,
      status: 200,
      error: expect.stringContaining('HTML'),
      reply: false,
    });
  });

  it('show in the metrics how deliveries go', async () => {
    const { id } = await subscribe(test, receiver);
    receiver.answer({ status: 500 });
    await arrives(test);
    await settled(test);
    const { text } = await test.hub.get('/metrics');
    expect(text).toContain(`hub_delivery_pending{subscription="${id}"} 1`);
    const labels = `subscription="${id}",cause="schedule",outcome="refused"`;
    expect(text).toContain(`hub_delivery_attempts_total{${labels}} 1`);
    expect(text).toContain(`hub_delivery_duration_seconds_count{subscription="${id}"} 1`);
    expect(text).not.toContain(COMPONENT.appsecret);
  });

  it('are in the documentation of the API', async () => {
    const { json } = await test.hub.get('/docs-json');
    const paths = Object.keys(json.paths);
    expect(paths).toEqual(
      expect.arrayContaining([
        '/admin/subscriptions',
        '/admin/subscriptions/{id}',
        '/admin/subscriptions/{id}/test',
        '/admin/subscriptions/{id}/replay',
        '/admin/subscriptions/{id}/rotate-secret',
        '/admin/deliveries',
        '/admin/deliveries/{id}/replay',
      ]),
    );
  });
});
