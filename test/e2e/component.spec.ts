import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import {
  accepts,
  addPlatform,
  calls,
  HOUR,
  issued,
  MINUTE,
  prime,
  SECOND,
  secondHub,
  tick,
} from '../support/token-world.js';

const { appid } = COMPONENT;
const SECOND_APPID = 'wxfedcba9876543210';
const NEW: Record<string, unknown> = {
  componentAppId: SECOND_APPID,
  name: 'Second platform',
  appSecret: 'fake-app-secret-of-the-second-one',
  token: 'fakeTokenOfTheSecondOne',
  encodingAesKey: 'SecondPlatformFakeKey0123456789abcdefghijkl',
};

describe.each(databaseKinds())('/admin/components on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  const add = (changes: Record<string, unknown> = {}) =>
    test.hub.post('/admin/components', { ...NEW, ...changes });

  it('lists the platform of the environment, and those that were added', async () => {
    const now = new Date(test.clock.now()).toISOString();
    const unchanged = {
      changedAt: now,
      lastUsedAt: null,
      previousAccepted: false,
      previousAcceptedUntil: null,
      previous: [],
    };
    const view = {
      enabled: true,
      createdAt: now,
      updatedAt: now,
      appSecret: unchanged,
      token: unchanged,
      encodingAesKey: unchanged,
    };
    const first = { ...view, componentAppId: appid, name: appid };
    const second = { ...view, componentAppId: SECOND_APPID, name: 'Second platform' };
    expect((await test.hub.get('/admin/components')).json).toEqual([first]);
    expect(await add()).toMatchObject({ status: 201, json: second });
    expect((await test.hub.get('/admin/components')).json).toEqual([first, second]);
    expect((await test.hub.get(`/admin/components/${SECOND_APPID}`)).json).toEqual(second);
  });

  it('takes what was copied with invisible ends, and says where others stand', async () => {
    const copied = {
      componentAppId: `\ufeff${SECOND_APPID} `,
      appSecret: `${NEW.appSecret as string}\r\n`,
      token: ` ${NEW.token as string}\u200b`,
      encodingAesKey: `${NEW.encodingAesKey as string}\u00a0\n`,
    };
    expect(await add(copied)).toMatchObject({
      status: 201,
      json: { componentAppId: SECOND_APPID },
    });
    const { appSecret, token, encodingAesKey } = NEW;
    const path = `/admin/components/${SECOND_APPID}`;
    const same = await test.hub.patch(path, { appSecret, token, encodingAesKey });
    for (const field of ['appSecret', 'token', 'encodingAesKey']) {
      expect(same.json[field].previousAccepted).toBe(false);
    }
    for (const wrong of [
      { appSecret: 'fake-app-\u200bsecret' },
      { appSecret: 'fake-app-secret ' },
      { token: 'fakeToken\u00a0x' },
      { encodingAesKey: `fakeKey\n${encodingAesKey as string}` },
    ]) {
      const refused = await test.hub.patch(path, wrong);
      expect(refused).toMatchObject({ status: 400, json: { error: { code: 'bad_request' } } });
      expect(refused.text).toMatch(/character \d+ is U\+(200B|0020|00A0|000A) \(/);
      expect(refused.text).not.toContain('fake');
    }
  });

  it('never shows a secret that was written', async () => {
    const answers = [
      await add(),
      await test.hub.patch(`/admin/components/${SECOND_APPID}`, {
        appSecret: 'fake-app-secret-number-two-of-it',
      }),
      await test.hub.get('/admin/components'),
      await test.hub.get(`/admin/components/${SECOND_APPID}`),
      await add(),
      await add({ encodingAesKey: String(NEW.encodingAesKey).slice(1) }),
    ];
    const secrets = [NEW.appSecret, NEW.token, NEW.encodingAesKey, 'number-two', COMPONENT.token];
    for (const { text } of answers) {
      for (const secret of secrets) expect(text).not.toContain(secret);
    }
  });

  it('refuses one that is registered already, and changes nothing', async () => {
    await add();
    const answer = await add({ name: 'Third', token: 'anotherToken' });
    expect(answer).toMatchObject({ status: 409, json: { error: { code: 'component_exists' } } });
    expect((await test.hub.get(`/admin/components/${SECOND_APPID}`)).json.name).toBe(NEW.name);
  });

  it('adds one platform when it is asked for the same one many times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => add()));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
  });

  it.each([
    ['no appid', { componentAppId: undefined }, 'componentAppId'],
    ['an appid with a blank', { componentAppId: 'wx 123456' }, 'componentAppId'],
    ['a key of 42 characters', { encodingAesKey: 'x'.repeat(42) }, 'exactly 43'],
    ['no Token', { token: undefined }, 'token'],
    ['a Token of 2 characters', { token: 'ab' }, 'token'],
    ['an AppSecret of 5 characters', { appSecret: '12345' }, 'appSecret'],
    ['an unknown field', { secret: 'x' }, 'secret'],
    ['an AppSecret of spaces', { appSecret: ' '.repeat(32) }, 'appSecret'],
    ['an empty name', { name: '' }, 'name'],
    ['a name with a NUL', { name: 'Main\u0000platform' }, 'name'],
    ['a name with a line break', { name: 'Main\nplatform' }, 'name'],
    ['a name that turns the text behind it', { name: 'Main\u202eplatform' }, 'name'],
  ])('refuses %s with 400', async (_, changes, mention) => {
    const answer = await add(changes);
    expect(answer).toMatchObject({ status: 400, json: { error: { code: 'bad_request' } } });
    expect(answer.json.error.message).toContain(mention);
    expect((await test.hub.get('/admin/components')).json).toHaveLength(1);
  });

  it('knows no others: 404', async () => {
    for (const answer of [
      await test.hub.get('/admin/components/wx00000000000nobody'),
      await test.hub.patch('/admin/components/wx00000000000nobody', { name: 'x' }),
      await test.hub.token('wx00000000000nobody'),
      await test.hub.accessToken('wx00000000000nobody'),
    ]) {
      expect(answer).toMatchObject({ status: 404, json: { error: { code: 'component_unknown' } } });
    }
  });

  it('changes a name, and refuses what is malformed', async () => {
    const path = `/admin/components/${appid}`;
    test.clock.advance(MINUTE);
    const { json } = await test.hub.patch(path, { name: 'Main platform' });
    expect(json).toMatchObject({
      name: 'Main platform',
      enabled: true,
      updatedAt: new Date(test.clock.now()).toISOString(),
      token: { previousAccepted: false },
    });
    for (const body of [
      { enabled: 'no' },
      { componentAppId: 'wxother0' },
      { token: '' },
      { name: 'Main\u0000platform' },
      { appSecret: '      ' },
    ]) {
      expect((await test.hub.patch(path, body)).status).toBe(400);
    }
  });

  it('disables and enables: nothing is served, taken or refreshed meanwhile', async () => {
    await prime(test);
    const set = (enabled: boolean) => test.hub.patch(`/admin/components/${appid}`, { enabled });
    expect((await set(false)).json.enabled).toBe(false);
    const refused = { status: 403, json: { error: { code: 'component_disabled' } } };
    expect(await test.hub.accessToken()).toMatchObject(refused);
    expect(await test.hub.post(`/admin/tokens/${appid}/refresh`)).toMatchObject(refused);
    expect((await test.simulator.pushTicket(appid)).status).toBe(403);
    test.clock.advance(3 * HOUR);
    await tick(test);
    expect(calls(test)).toBe(1);
    expect((await test.hub.token()).status).toBe(200);
    await set(true);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
  });

  it('keeps platforms apart: each has its own ticket, token, failures and reports', async () => {
    const other = await addPlatform(test);
    await prime(test);
    expect((await test.hub.accessToken(other.appid)).json.error.code).toBe('ticket_missing');
    const theirs = await prime(test, other.appid);
    const mine = (await test.hub.accessToken()).json.component_access_token;
    expect([mine, theirs]).toEqual([issued(test), issued(test, other.appid)]);
    expect(theirs).not.toBe(mine);
    expect((await test.hub.ticket()).json.componentVerifyTicket).not.toBe(
      (await test.hub.ticket(other.appid)).json.componentVerifyTicket,
    );
    // A wrong secret of one stops one.
    test.simulator.updateComponent(other.appid, { appsecret: 'fake-secret-they-do-not-know' });
    test.clock.advance(2 * HOUR);
    await tick(test);
    expect((await test.hub.accessToken()).json.component_access_token).toBe(issued(test));
    expect((await test.hub.accessToken(other.appid)).json.error.errcode).toBe(40125);
    expect((await test.hub.token()).json).toMatchObject({ generation: 2, attempts: 0 });
    expect((await test.hub.token(other.appid)).json).toMatchObject({ generation: 1, attempts: 1 });
    // One's token reported for the other changes neither.
    const path = `/api/components/${other.appid}/access-token/invalidate`;
    await test.hub.post(path, { token: issued(test) });
    expect(await accepts(test.simulator, issued(test) ?? '')).toBe(true);
    const list = (await test.hub.get('/admin/tokens')).json as Record<string, unknown>[];
    expect(
      list.map(({ componentAppId, invalidatedAt }) => [componentAppId, invalidatedAt]),
    ).toEqual([
      [appid, null],
      [other.appid, null],
    ]);
  });

  it('is live on another hub within 10 s, and a new platform at once', async () => {
    const other = await secondHub(test);
    try {
      const added = await addPlatform(test);
      expect((await other.hub.token(added.appid)).status).toBe(200);
      const token = 'changedOnTheFirstHub';
      await test.hub.patch(`/admin/components/${appid}`, { token, enabled: true });
      await test.hub.patch(`/admin/components/${added.appid}`, { enabled: false });
      test.simulator.updateComponent(appid, { token });
      test.clock.advance(10 * SECOND);
      const built = test.simulator.buildTicketPush(appid);
      expect((await other.hub.push(built)).text).toBe('success');
      expect((await other.hub.accessToken(added.appid)).status).toBe(403);
    } finally {
      await other.close();
    }
  });
});
