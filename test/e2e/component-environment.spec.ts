import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds, type TestDatabase } from '../support/databases.js';
import { FakeClock } from '../support/fake-clock.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { HOUR, MINUTE, prime } from '../support/token-world.js';

const { appid } = COMPONENT;
const NEW_TOKEN = 'tokenOfTheNewEnvironment';
const NEW_KEY = 'NewEnvironmentFakeKey0123456789abcdefghijkl';
const NO_COMPONENT = {
  WECHAT_COMPONENT_APPID: '',
  WECHAT_COMPONENT_APPSECRET: '',
  WECHAT_COMPONENT_TOKEN: '',
  WECHAT_COMPONENT_ENCODING_AES_KEY: '',
};

describe.each(databaseKinds())('the platform of the environment on %s', (kind) => {
  let database: TestDatabase;
  let clock: FakeClock;
  let running: TestApp | undefined;
  beforeEach(async () => {
    database = await createTestDatabase(kind);
    clock = new FakeClock();
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
    await database.drop();
  });

  /** Stops the hub and starts it a minute later with another environment. */
  async function restart(env: Record<string, string> = {}): Promise<TestApp> {
    await running?.close();
    running = undefined;
    clock.advance(MINUTE);
    running = await createTestApp({ database, clock, env });
    return running;
  }

  /** Which of these Tokens the hub takes a push under, and which of the two generations it is. */
  async function tokensTaken(test: TestApp, ...tokens: string[]): Promise<(string | number)[]> {
    const seen: (string | number)[] = [];
    for (const token of tokens) {
      clock.advance(MINUTE);
      const { status } = await test.hub.push(test.simulator.buildTicketPush(appid, { token }));
      const history = await test.hub.get(`/admin/tickets/${appid}/history?limit=1`);
      seen.push(status === 200 ? history.json.pushes[0].keyUsed : status);
    }
    return seen;
  }

  it('is created at the first start, and found again at the next', async () => {
    const first = (await (await restart()).hub.get('/admin/components')).json;
    expect(first).toMatchObject([{ componentAppId: appid, enabled: true }]);
    expect((await (await restart()).hub.get('/admin/components')).json).toEqual(first);
  });

  it('is changed as a rotation by an environment that is new, once', async () => {
    await restart();
    const test = await restart({ WECHAT_COMPONENT_TOKEN: NEW_TOKEN });
    const { json } = await test.hub.get(`/admin/components/${appid}`);
    expect(json).toMatchObject({
      token: { previousAccepted: true, changedAt: new Date(clock.now()).toISOString() },
      appSecret: { previousAccepted: false },
      encodingAesKey: { previousAccepted: false },
    });
    expect(await tokensTaken(test, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 'previous']);
    const again = await restart({ WECHAT_COMPONENT_TOKEN: NEW_TOKEN });
    const { changedAt } = json.token;
    const { json: later } = await again.hub.get(`/admin/components/${appid}`);
    expect(later).toMatchObject({ updatedAt: json.updatedAt, token: { changedAt } });
    const path = `/admin/components/${appid}/previous-credentials`;
    expect((await again.hub.request('DELETE', path)).status).toBe(200);
    expect(await tokensTaken(again, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 403]);
  });

  it('goes on with the value that WeChat still uses when the environment changes twice', async () => {
    await restart();
    await restart({ WECHAT_COMPONENT_TOKEN: 'misspeltTokenOfTheEnvironment' });
    const test = await restart({ WECHAT_COMPONENT_TOKEN: NEW_TOKEN });
    expect(await tokensTaken(test, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 'previous']);
  });

  it('does not go back to old values when a host restarts with an old environment', async () => {
    const test = await restart();
    const change = { token: NEW_TOKEN, encodingAesKey: NEW_KEY };
    await test.hub.patch(`/admin/components/${appid}`, change);
    const changed = (await test.hub.get(`/admin/components/${appid}`)).json;
    const old = await restart();
    expect((await old.hub.get(`/admin/components/${appid}`)).json).toEqual(changed);
    old.simulator.updateComponent(appid, change);
    expect(await tokensTaken(old, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 'previous']);
  });

  it('keeps what was changed by REST when the environment changes something else', async () => {
    const test = await restart();
    await test.hub.patch(`/admin/components/${appid}`, { encodingAesKey: NEW_KEY });
    // Here the environment still has the key of the first start.
    const changed = await restart({ WECHAT_COMPONENT_TOKEN: NEW_TOKEN });
    const path = `/admin/components/${appid}/previous-credentials`;
    expect((await changed.hub.request('DELETE', path)).status).toBe(200);
    changed.simulator.updateComponent(appid, { encodingAesKey: NEW_KEY });
    expect(await tokensTaken(changed, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 403]);
    const oldest = await restart();
    oldest.simulator.updateComponent(appid, { encodingAesKey: NEW_KEY });
    expect(await tokensTaken(oldest, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 403]);
  });

  it('may bring the values before a change along', async () => {
    const test = await restart({
      WECHAT_COMPONENT_TOKEN: NEW_TOKEN,
      WECHAT_COMPONENT_PREVIOUS_TOKEN: COMPONENT.token,
      WECHAT_COMPONENT_ENCODING_AES_KEY: NEW_KEY,
      WECHAT_COMPONENT_PREVIOUS_ENCODING_AES_KEY: COMPONENT.encodingAesKey,
    });
    // The fake WeChat is still at the values before.
    await prime(test);
    const { pushes } = (await test.hub.get(`/admin/tickets/${appid}/history`)).json;
    expect(pushes[0].keyUsed).toBe('previous');
    test.simulator.updateComponent(appid, { encodingAesKey: NEW_KEY });
    expect(await tokensTaken(test, NEW_TOKEN)).toEqual(['current']);
  });

  it('accepts previous values that are added later, from then on', async () => {
    await restart({ WECHAT_COMPONENT_TOKEN: NEW_TOKEN });
    clock.advance(100 * HOUR);
    const test = await restart({
      WECHAT_COMPONENT_TOKEN: NEW_TOKEN,
      WECHAT_COMPONENT_PREVIOUS_TOKEN: COMPONENT.token,
    });
    expect(await tokensTaken(test, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 'previous']);
    // What an operator has ended does not come back with the next start.
    const path = `/admin/components/${appid}/previous-credentials`;
    expect((await test.hub.request('DELETE', path)).status).toBe(200);
    const again = await restart({
      WECHAT_COMPONENT_TOKEN: NEW_TOKEN,
      WECHAT_COMPONENT_PREVIOUS_TOKEN: COMPONENT.token,
    });
    expect(await tokensTaken(again, NEW_TOKEN, COMPONENT.token)).toEqual(['current', 403]);
  });

  it('may be left out when there is one in the database', async () => {
    await prime(await restart());
    const test = await restart(NO_COMPONENT);
    expect((await test.hub.get('/admin/components')).json).toMatchObject([
      { componentAppId: appid },
    ]);
    expect((await test.hub.accessToken()).status).toBe(200);
  });

  it('need not be there at the first start, and is created when it comes', async () => {
    const empty = await restart(NO_COMPONENT);
    expect((await empty.hub.get('/admin/components')).json).toEqual([]);
    expect((await empty.hub.get('/health/ready')).json).toMatchObject({ status: 'up' });
    const { json } = await (await restart()).hub.get('/admin/components');
    expect(json).toMatchObject([{ componentAppId: appid, enabled: true }]);
  });
});
