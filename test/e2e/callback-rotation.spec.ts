import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectRefusal, expectSuccess, storedState } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const OTHER = {
  appid: 'wxfedcba9876543210',
  appsecret: 'fake-secret-of-the-other-one',
  token: 'otherCallbackToken',
  encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
};
const NEW_TOKEN = 'newCallbackToken';
const NEW_KEY = '0123456789012345678901234567890123456789012';
const HOUR_MS = 3_600_000;
const SIGNATURE = { status: 403, code: 'signature_invalid', errcode: -40001 };
const MISMATCH = { status: 403, code: 'appid_mismatch', errcode: -40005 };

describe.each(databaseKinds())('a component on %s whose Token and key change', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
  });
  afterAll(() => test.close());

  const lastKeyUsed = async (): Promise<unknown> =>
    (await test.hub.get(`/admin/tickets/${appid}/history?limit=1`)).json.pushes[0].keyUsed;

  it('gets pushes under the old ones, and under the new ones at once', async () => {
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid)));
    expect(await lastKeyUsed()).toBe('current');
    const changed = await test.hub.patch(`/admin/components/${appid}`, {
      token: NEW_TOKEN,
      encodingAesKey: NEW_KEY,
    });
    expect(changed.status).toBe(200);

    test.clock.advance(1000);
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid)));
    expect(await lastKeyUsed()).toBe('previous');
    test.clock.advance(1000);
    const fresh = { token: NEW_TOKEN, encodingAesKey: NEW_KEY };
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid, fresh)));
    expect(await lastKeyUsed()).toBe('current');
  });

  it.each([
    ['the Token', { encodingAesKey: NEW_KEY }],
    ['the key', { token: NEW_TOKEN }],
  ])('takes a push for which WeChat has changed all but %s', async (_, overrides) => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid, overrides);
    expectSuccess(await test.hub.push(built));
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
    expect(await lastKeyUsed()).toBe('previous');
  });

  it('refuses the old ones when an operator ends them', async () => {
    test.clock.advance(24 * HOUR_MS);
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid)));
    expect((await test.hub.accessToken()).status).toBe(200);
    const path = `/admin/components/${appid}/previous-credentials`;
    expect((await test.hub.request('DELETE', path)).status).toBe(200);
    const before = await storedState(test);
    test.clock.advance(61_000);
    expectRefusal(await test.hub.push(test.simulator.buildTicketPush(appid)), SIGNATURE);
    const oldKey = test.simulator.buildTicketPush(appid, { token: NEW_TOKEN });
    const undecryptable = await test.hub.push(oldKey);
    expect(undecryptable.status).toBeGreaterThanOrEqual(400);
    expect(undecryptable.status).toBeLessThan(500);
    expect(await storedState(test)).toEqual(before);
    const fresh = { token: NEW_TOKEN, encodingAesKey: NEW_KEY };
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid, fresh)));
  });
});

describe.each(databaseKinds())('two components on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({
      database: kind,
      simulator: { components: [COMPONENT, OTHER] },
    });
    const { appsecret: appSecret, token, encodingAesKey } = OTHER;
    const added = await test.hub.post('/admin/components', {
      componentAppId: OTHER.appid,
      appSecret,
      token,
      encodingAesKey,
    });
    expect(added.json).toMatchObject({ componentAppId: OTHER.appid, enabled: true });
    for (const id of [appid, OTHER.appid]) {
      expectSuccess(await test.hub.push(test.simulator.buildTicketPush(id)));
      expect((await test.hub.accessToken(id)).status).toBe(200);
    }
  });
  afterAll(() => test.close());

  it('keep their tickets apart', async () => {
    const [first, second] = [appid, OTHER.appid].map((id) => test.simulator.buildTicketPush(id));
    if (!first || !second) throw new Error('No pushes');
    const answers = await Promise.all([first, second].map((built) => test.hub.push(built)));
    for (const answer of answers) expectSuccess(answer);
    expect((await test.hub.ticket(appid)).json.componentVerifyTicket).toBe(first.ticket);
    expect((await test.hub.ticket(OTHER.appid)).json.componentVerifyTicket).toBe(second.ticket);
  });

  it('refuse the push of one at the URL of the other', async () => {
    const before = await storedState(test);
    const built = test.simulator.buildTicketPush(OTHER.appid);
    expectRefusal(await test.hub.push({ ...built, appid }), SIGNATURE);
    expect(await storedState(test)).toEqual(before);
  });

  it.each([
    ['outer XML', { outerAppId: OTHER.appid }],
    ['decrypted XML', { innerAppId: OTHER.appid }],
    ['tail', { tailId: OTHER.appid }],
  ])('refuse a push signed by one whose %s names the other', async (_, overrides) => {
    const before = await storedState(test);
    const built = test.simulator.buildTicketPush(appid, overrides);
    expectRefusal(await test.hub.push(built), MISMATCH);
    expect(await storedState(test)).toEqual(before);
  });

  it('refuse the pushes of a disabled one, and take them when it is enabled again', async () => {
    const path = `/admin/components/${OTHER.appid}`;
    expect((await test.hub.patch(path, { enabled: false })).json.enabled).toBe(false);
    const before = await storedState(test);
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(OTHER.appid);
    expectRefusal(await test.hub.push(built), { status: 403, code: 'component_disabled' });
    expect(await storedState(test)).toEqual(before);
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid)));

    expect((await test.hub.patch(path, { enabled: true })).json.enabled).toBe(true);
    expectSuccess(await test.hub.push(built));
    expect((await test.hub.ticket(OTHER.appid)).json.componentVerifyTicket).toBe(built.ticket);
  });
});
