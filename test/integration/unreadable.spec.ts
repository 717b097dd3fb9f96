import { beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { useRestartableHub } from '../support/restartable-hub.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { addPlatform, MINUTE, prime, sql } from '../support/token-world.js';

const { appid } = COMPONENT;
const DAMAGED = 'enc:v1:t1:AAAA';
const LOST_KEY = `enc:v1:lost:${'A'.repeat(60)}`;
const NEW_KEYS = { MASTER_KEYS: `t2:${Buffer.alloc(32, 2).toString('base64')}` };
const CREDENTIALS = {
  appSecret: COMPONENT.appsecret,
  token: 'fakeTokenEnteredAgain',
  encodingAesKey: COMPONENT.encodingAesKey,
};

describe.each(databaseKinds())('a value on %s that cannot be read', (kind) => {
  const world = useRestartableHub(kind);
  let test: TestApp;
  beforeEach(() => void ({ test } = world));

  async function restart(env?: Record<string, string>): Promise<void> {
    test = await world.restart(env);
  }

  const write = (statement: string, ...parameters: string[]): Promise<unknown> =>
    sql(test).query(statement, parameters);

  /** The list's entry of one platform. */
  async function entry(path: string, key: string, id: string): Promise<Record<string, any>> {
    const { status, json } = await test.hub.get(path);
    expect(status).toBe(200);
    const list = (Array.isArray(json) ? json : json.components) as Record<string, any>[];
    return list.find((item) => item[key] === id) ?? {};
  }

  const health = (id: string): Promise<Record<string, any>> =>
    entry('/health/ready', 'componentAppId', id);
  const platform = (id: string): Promise<Record<string, any>> =>
    entry('/admin/components', 'componentAppId', id);

  it.each([
    ['damaged', 'app_secret', DAMAGED, 'not written for this place'],
    ['damaged', 'encoding_aes_key', DAMAGED, 'not written for this place'],
    ['under a lost key', 'token', LOST_KEY, 'no key "lost"'],
  ])('(%s, %s) stops its platform and no other', async (_, column, value, why) => {
    const other = await addPlatform(test);
    await prime(test);
    await prime(test, other.appid);
    await write(`UPDATE component SET ${column} = ? WHERE appid = ?`, value, other.appid);
    await restart();

    expect((await test.hub.accessToken()).status).toBe(200);
    expect((await test.simulator.pushTicket(appid)).body).toBe('success');
    expect(await platform(appid)).not.toHaveProperty('error');
    expect(await platform(other.appid)).toMatchObject({
      name: other.appid,
      error: { code: 'secret_unreadable', message: expect.stringContaining(why) },
    });
    const refused = { status: 503, json: { error: { code: 'component_unreadable' } } };
    expect(await test.hub.accessToken(other.appid)).toMatchObject(refused);
    expect(await test.hub.token(other.appid)).toMatchObject(refused);
    const built = test.simulator.buildTicketPush(appid);
    expect(await test.hub.push({ ...built, appid: other.appid })).toMatchObject(refused);
    expect(await health(appid)).toMatchObject({ ticket: 'up', token: 'up' });
    expect(await health(other.appid)).toMatchObject({ ticket: 'down', token: 'down' });
    expect((await test.hub.get('/health/ready')).json.status).toBe('degraded');

    for (let reads = 0; reads < 3; reads += 1) {
      test.clock.advance(MINUTE);
      expect((await test.hub.accessToken(other.appid)).status).toBe(503);
    }
    const errors = logLines(other.appid).filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(JSON.stringify(errors)).toContain(`component.${column}:${other.appid}`);
  });

  it('is overwritten by all credentials of its platform, and by nothing less', async () => {
    const other = await addPlatform(test);
    await write('UPDATE component SET token = ? WHERE appid = ?', DAMAGED, other.appid);
    await restart();
    const path = `/admin/components/${other.appid}`;
    const { token } = CREDENTIALS;
    expect(await test.hub.patch(path, { token })).toMatchObject({
      status: 503,
      json: { error: { code: 'component_unreadable' } },
    });
    const [row] = await sql(test).query('SELECT token FROM component WHERE appid = ?', [
      other.appid,
    ]);
    expect(row.token).toBe(DAMAGED);
    expect(await test.hub.patch(path, { name: 'Second', enabled: false })).toMatchObject({
      status: 200,
      json: { name: 'Second', enabled: false, error: { code: 'secret_unreadable' } },
    });
    const { appsecret: appSecret, encodingAesKey } = other;
    const repaired = await test.hub.patch(path, {
      appSecret,
      token,
      encodingAesKey,
      enabled: true,
    });
    expect(repaired).toMatchObject({ status: 200, json: { token: { previousAccepted: false } } });
    expect(repaired.json).not.toHaveProperty('error');
    test.simulator.addComponent({
      ...other,
      token,
      pushUrl: `${test.hub.url}/callback/${other.appid}/events`,
    });
    await prime(test, other.appid);
  });

  it('keeps no hub from starting, and what was entered again outlives the next start', async () => {
    await restart(NEW_KEYS);
    expect((await platform(appid)).error.message).toContain('no key "t1"');
    expect((await test.hub.get('/health/ready')).status).toBe(200);
    expect((await test.hub.patch(`/admin/components/${appid}`, CREDENTIALS)).status).toBe(200);
    test.simulator.updateComponent(appid, { token: CREDENTIALS.token });
    await prime(test);
    await restart(NEW_KEYS);
    expect(await platform(appid)).not.toHaveProperty('error');
    // The environment's Token is another one: it is not taken for a change.
    await test.hub.push(test.simulator.buildTicketPush(appid, { token: CREDENTIALS.token }));
    const { pushes } = (await test.hub.get(`/admin/tickets/${appid}/history?limit=1`)).json;
    expect(pushes[0].keyUsed).toBe('current');
    const old = test.simulator.buildTicketPush(appid, { token: COMPONENT.token });
    expect((await test.hub.push(old)).status).toBe(403);
  });

  it('in the ticket table is shown as such beside the others, until the next push', async () => {
    const other = await addPlatform(test);
    await prime(test);
    await prime(test, other.appid);
    await write(
      'UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ? WHERE Cvt_AppId = ?',
      LOST_KEY,
      other.appid,
    );
    expect(await entry('/admin/tickets', 'appId', appid)).toMatchObject({
      componentVerifyTicket: expect.any(String),
    });
    expect(await entry('/admin/tickets', 'appId', other.appid)).toMatchObject({
      createTime: expect.any(Number),
      componentVerifyTicket: null,
      error: { code: 'secret_unreadable', message: expect.stringContaining('no key "lost"') },
    });
    expect(await health(appid)).toMatchObject({ ticket: 'up', token: 'up' });
    expect((await health(other.appid)).ticket).toBe('down');
    const { text } = await test.hub.get('/metrics');
    expect(text).toContain(`hub_ticket_age_seconds{component="${appid}"}`);

    const { ticket } = await test.simulator.pushTicket(other.appid);
    expect((await test.hub.ticket(other.appid)).json.componentVerifyTicket).toBe(ticket);
    expect(await entry('/admin/tickets', 'appId', other.appid)).not.toHaveProperty('error');
    expect((await health(other.appid)).ticket).toBe('up');
  });

  it('in the token table is a token that is down, for its platform only', async () => {
    const other = await addPlatform(test);
    await prime(test);
    await prime(test, other.appid);
    await write(
      'UPDATE component_access_token SET access_token = ? WHERE component_appid = ?',
      DAMAGED,
      other.appid,
    );
    await restart();
    expect(await health(appid)).toMatchObject({ ticket: 'up', token: 'up' });
    expect(await health(other.appid)).toMatchObject({ ticket: 'up', token: 'down' });
  });
});
