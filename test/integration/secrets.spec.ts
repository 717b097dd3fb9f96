import { beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT, MASTER_KEY } from '../support/fake-settings.js';
import { useRestartableHub } from '../support/restartable-hub.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, issued, MINUTE, prime, sql } from '../support/token-world.js';

const { appid } = COMPONENT;
const SECOND_KEY = `t2:${Buffer.from('fake-second-master-key-32-bytes!').toString('base64')}`;
const CHANGE = {
  appSecret: 'fake-secret-after-the-change-0001',
  token: 'fakeTokenAfterTheChange',
  encodingAesKey: 'AfterTheChangeFakeKey0123456789abcdefghijkl',
};

describe.each(databaseKinds())('secrets at rest on %s', (kind) => {
  const world = useRestartableHub(kind);
  let test: TestApp;
  beforeEach(() => void ({ test } = world));

  async function restart(env?: Record<string, string>): Promise<void> {
    test = await world.restart(env);
  }

  const query = (statement: string, parameters: unknown[] = []) =>
    sql(test).query(statement, parameters) as Promise<Record<string, string>[]>;
  const stored = async (table: string, column: string, identity: string): Promise<string> => {
    const rows = await query(
      `SELECT ${column} AS value FROM ${table} WHERE ${identity} = '${appid}'`,
    );
    return String(rows[0]?.value);
  };
  const storedToken = () => stored('component_access_token', 'access_token', 'component_appid');
  const storedTicket = () =>
    stored('tb_ComponentVerifyTicket', 'Cvt_ComponentVerifyTicket', 'Cvt_AppId');

  /** All that every table holds, as text. */
  async function everything(): Promise<string> {
    const tables = sql(test).entityMetadatas.map(({ tableName }) => tableName);
    const rows = await Promise.all(tables.map((table) => query(`SELECT * FROM ${table}`)));
    expect(rows.flat().length).toBeGreaterThanOrEqual(5);
    return JSON.stringify(rows.flat());
  }

  it('are nowhere in plaintext: credentials, those before a change, tickets, tokens, payloads', async () => {
    await test.hub.patch(`/admin/components/${appid}`, CHANGE);
    const second = await addPlatform(test);
    const { ticket } = await test.simulator.pushTicket(appid);
    const token = await prime(test);
    await test.hub.post(`/api/components/${appid}/access-token/invalidate`, { token });
    await prime(test, second.appid);
    const { componentVerifyTicket } = (await test.hub.ticket()).json;
    const secrets = {
      ...COMPONENT,
      appid: undefined,
      ...Object.fromEntries(Object.entries(CHANGE).map(([name, value]) => [`new ${name}`, value])),
      secondSecret: second.appsecret,
      secondToken: second.token,
      secondKey: second.encodingAesKey,
      ticket,
      componentVerifyTicket,
      token,
      newToken: issued(test),
      payload: '<ComponentVerifyTicket>',
      payloadCdata: 'ticket@@@',
    };
    const text = await everything();
    for (const [name, secret] of Object.entries(secrets)) {
      if (secret) expect(text.includes(secret), `${name} in plaintext`).toBe(false);
    }
    expect(text.match(/enc:v1:t1:/g)?.length).toBeGreaterThanOrEqual(14);
  });

  it('do not decrypt in the row of another platform', async () => {
    const other = await addPlatform(test);
    await prime(test);
    await prime(test, other.appid);
    await query('UPDATE component_access_token SET access_token = ? WHERE component_appid = ?', [
      await storedToken(),
      other.appid,
    ]);
    await query(
      'UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ? WHERE Cvt_AppId = ?',
      [await storedTicket(), other.appid],
    );
    await restart();
    const ticket = await test.hub.ticket(other.appid);
    expect(ticket).toMatchObject({ status: 500, json: { error: { code: 'secret_unreadable' } } });
    expect(ticket.json.error.message).toContain(other.appid);
    expect((await test.hub.token(other.appid)).json.componentAccessToken).toBeNull();
    const token = await test.hub.accessToken(other.appid);
    expect(token.status).toBeGreaterThanOrEqual(500);
    expect(token.json).not.toHaveProperty('component_access_token');
    expect((await test.hub.accessToken()).status).toBe(200);
    expect((await test.hub.ticket()).status).toBe(200);
  });

  it('do not decrypt in another column of their row: the platform is left out', async () => {
    await query('UPDATE component SET token = app_secret');
    await restart();
    const { json } = await test.hub.get(`/admin/components/${appid}`);
    expect(json.error).toMatchObject({
      code: 'secret_unreadable',
      message: expect.stringContaining(`component.token:${appid}`),
    });
    expect((await test.simulator.pushTicket(appid)).status).toBe(503);
  });

  it('of a version that did not encrypt are read, and written encrypted from then on', async () => {
    const { ticket } = await test.simulator.pushTicket(appid);
    const token = await prime(test);
    await query('UPDATE component SET app_secret = ?, token = ?, encoding_aes_key = ?', [
      COMPONENT.appsecret,
      COMPONENT.token,
      COMPONENT.encodingAesKey,
    ]);
    await query('UPDATE component SET applied_environment = NULL');
    await query('UPDATE component_access_token SET access_token = ?', [token]);
    await query('UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ?', [ticket]);
    await restart();
    expect((await test.hub.accessToken()).json.component_access_token).toBe(token);
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(ticket);
    await test.simulator.pushTicket(appid);
    expect((await test.hub.post(`/admin/tokens/${appid}/refresh`)).status).toBe(200);
    await test.hub.patch(`/admin/components/${appid}`, CHANGE);
    for (const value of [await storedToken(), await storedTicket()]) {
      expect(value).toMatch(/^enc:v1:t1:/);
    }
    const text = await everything();
    for (const secret of [COMPONENT.appsecret, CHANGE.token, 'ticket@@@']) {
      expect(text).not.toContain(secret);
    }
  });

  it('in plaintext payloads are found when an earlier ticket is needed', async () => {
    const { ticket, createTime } = await test.simulator.pushTicket(appid);
    await prime(test);
    await query('UPDATE callback_event SET payload = ?', [
      `<xml><AppId>${appid}</AppId><CreateTime>${createTime}</CreateTime>` +
        `<ComponentVerifyTicket><![CDATA[${ticket}]]></ComponentVerifyTicket></xml>`,
    ]);
    test.clock.advance(MINUTE);
    await test.simulator.pushTicket(appid, { issued: false });
    expect((await test.hub.post(`/admin/tokens/${appid}/refresh`)).status).toBe(200);
  });

  it('keep the legacy ticket column readable on demand, and that one only', async () => {
    await restart({ LEGACY_TICKET_PLAINTEXT: 'true' });
    const { ticket } = await test.simulator.pushTicket(appid);
    const token = await test.hub.accessToken();
    expect(await storedTicket()).toBe(ticket);
    expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(ticket);
    expect(await storedToken()).toMatch(/^enc:v1:t1:/);
    const text = (await everything()).replace(ticket ?? '', '');
    for (const secret of [ticket, token.json.component_access_token, COMPONENT.appsecret]) {
      expect(text.includes(secret as string)).toBe(false);
    }
    await restart();
    test.clock.advance(MINUTE);
    await test.simulator.pushTicket(appid);
    expect(await storedTicket()).toMatch(/^enc:v1:t1:/);
  });

  it('under a key that is not there are a clear error, and nothing of them is shown', async () => {
    await prime(test);
    const sealed = await storedTicket();
    await query('UPDATE tb_ComponentVerifyTicket SET Cvt_ComponentVerifyTicket = ?', [
      sealed.replace('enc:v1:t1:', 'enc:v1:lost:'),
    ]);
    await restart();
    const answer = await test.hub.ticket();
    expect(answer).toMatchObject({ status: 500, json: { error: { code: 'secret_unreadable' } } });
    expect(answer.json.error.message).toContain('MASTER_KEYS has no key "lost"');
    for (const { text } of [answer, await test.hub.get('/admin/tickets?reveal=true')]) {
      expect(text).not.toContain(sealed.slice(-20));
    }
  });

  it('under the second of MASTER_KEYS are read, and what is new comes under the first', async () => {
    const token = await prime(test);
    await restart({ MASTER_KEYS: `${SECOND_KEY},${MASTER_KEY}` });
    expect((await test.hub.accessToken()).json.component_access_token).toBe(token);
    expect(await storedToken()).toMatch(/^enc:v1:t1:/);
    await test.simulator.pushTicket(appid);
    await test.hub.post(`/admin/tokens/${appid}/refresh`);
    await test.hub.patch(`/admin/components/${appid}`, { token: CHANGE.token });
    for (const value of [
      await storedToken(),
      await storedTicket(),
      await stored('component', 'token', 'appid'),
      await stored('component', 'previous_token', 'appid'),
    ]) {
      expect(value).toMatch(/^enc:v1:t2:/);
    }
    expect(await stored('component', 'app_secret', 'appid')).toMatch(/^enc:v1:t1:/);
  });
});
