import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { Receiver } from './test-receiver.js';
import { signMessage } from './wechat-push-crypto.js';
import { WechatSimulator } from './wechat-simulator.js';

const START_PATH = '/cgi-bin/component/api_start_push_ticket';
const { appid, appsecret, token } = SIMULATOR_COMPONENT;

let simulator: WechatSimulator;
let receiver: Receiver;
let pushUrl: string;

beforeEach(async () => {
  receiver = new Receiver();
  pushUrl = `${await receiver.start()}/callback/${appid}/events`;
  simulator = await WechatSimulator.start({
    components: [{ ...SIMULATOR_COMPONENT, pushUrl }],
    now: () => 1_760_000_000_000,
    pushTimeoutMs: 200,
  });
});

afterEach(async () => {
  await simulator.stop();
  await receiver.stop();
});

async function postJson(path: string, body: object): Promise<unknown> {
  const init = { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(simulator.url + path, init)).json();
}

describe('pushes', () => {
  it('look like those of WeChat', async () => {
    const result = await simulator.pushTicket(appid);
    expect(result).toMatchObject({ status: 200, body: 'success', error: null, createTime: 1.76e9 });
    const shown = await fetch(`${simulator.url}/__sim/pushes`);
    expect(await shown.json()).toEqual([result]);
    const { path, query, headers, body, tailId, text } =
      receiver.received[0] ?? expect.fail('nothing received');
    expect(Object.keys(query)).toEqual([
      'signature',
      'timestamp',
      'nonce',
      'encrypt_type',
      'msg_signature',
    ]);
    expect(path).toBe(`/callback/${appid}/events`);
    expect(headers).toMatchObject({
      'content-type': 'text/xml',
      'user-agent': 'Mozilla/4.0',
    });
    const outer = /^<xml><AppId><!\[CDATA\[(.+?)\]\]><\/AppId><Encrypt><!\[CDATA\[(.+)\]\]>/.exec(
      body,
    );
    expect(outer?.[1]).toBe(appid);
    expect(query['msg_signature']).toBe(
      signMessage(token, query['timestamp'] ?? '', query['nonce'] ?? '', outer?.[2] ?? ''),
    );
    expect(tailId).toBe(appid);
    expect(text).toContain(
      `<ComponentVerifyTicket><![CDATA[${result.ticket}]]></ComponentVerifyTicket>`,
    );
  });

  it('report an answer that is not success', async () => {
    receiver.answer = () => ({ status: 500, body: 'sorry' });
    expect(await postJson('/__sim/push', { ticket: 'ticket@@@mine' })).toMatchObject({
      status: 500,
      body: 'sorry',
      ticket: 'ticket@@@mine',
    });
    expect(
      await postJson('/cgi-bin/component/api_component_token', {
        component_appid: appid,
        component_appsecret: appsecret,
        component_verify_ticket: 'ticket@@@mine',
      }),
    ).toMatchObject({ expires_in: 7200 });
  });

  it('report a server that is down', async () => {
    await receiver.stop();
    const result = await simulator.pushTicket(appid);
    expect(result).toMatchObject({ status: null, error: expect.stringContaining('ECONNREFUSED') });
  });

  it('report a server that does not answer in time', async () => {
    receiver.answer = () => null;
    const result = await simulator.pushTicket(appid);
    expect(result).toMatchObject({ status: null, error: 'timeout after 200 ms' });
  });

  it('under way do not keep the simulator from stopping', async () => {
    const arrived = new Promise<void>((resolve) => {
      receiver.answer = () => {
        resolve();
        return null;
      };
    });
    const pending = simulator.pushTicket(appid);
    await arrived;
    await simulator.stop();
    expect(await pending).toMatchObject({ status: null, error: 'socket hang up' });
  });

  it('carry any InfoType and take overrides', async () => {
    const plaintext = `<xml><InfoType><![CDATA[unauthorized]]></InfoType></xml>`;
    const built = simulator.buildPush(appid, plaintext, { nonce: '1', timestamp: 2 });
    expect(built.params).toMatchObject({ nonce: '1', timestamp: '2' });
    expect(built.path).toBe(`/callback/${appid}/events?${built.query}`);
    await simulator.push(appid, built);
    expect(receiver.texts).toEqual([plaintext]);
  });

  it('use the rotated key', async () => {
    const rotated = 'A'.repeat(43);
    const url = `${simulator.url}/__sim/components/${appid}`;
    await fetch(url, { method: 'PATCH', body: JSON.stringify({ encodingAesKey: rotated }) });
    receiver.encodingAesKey = rotated;
    const { ticket } = await simulator.pushTicket(appid);
    expect(receiver.texts[0]).toContain(ticket);
  });

  it('come on the interval', async () => {
    simulator.updateComponent(appid, { pushIntervalSeconds: 0.01 });
    await simulator.waitForPush(appid, { count: 2 });
    simulator.updateComponent(appid, { pushIntervalSeconds: null });
    expect(new Set(receiver.texts).size).toBe(receiver.texts.length);
    expect(simulator.state().components[0]).toMatchObject({ pushing: false });
  });

  it('are started by api_start_push_ticket, with one at once', async () => {
    const body = { component_appid: appid, component_secret: appsecret };
    expect(await postJson(START_PATH, body)).toEqual({ errcode: 0, errmsg: 'ok' });
    await simulator.waitForPush(appid);
    expect(await postJson(START_PATH, body)).toEqual({ errcode: 0, errmsg: 'in a normal state' });
    await simulator.waitForPush(appid, { count: 2 });
    const refused = await postJson(START_PATH, { ...body, component_secret: 'x' });
    expect(refused).toMatchObject({ errcode: 40125 });
  });

  it('go to components added at run time', async () => {
    const other = { ...SIMULATOR_COMPONENT, appid: 'wxfedcba9876543210', pushUrl };
    expect(await postJson('/__sim/components', other)).toEqual({ ok: true });
    expect(await postJson('/__sim/push', { component: other.appid })).toMatchObject({
      status: 200,
    });
    expect(await postJson('/__sim/push', {})).toHaveProperty('error');
  });
});
