import { createDecipheriv } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { signMessage } from './wechat-push-crypto.js';
import { WechatSimulator } from './wechat-simulator.js';

const START_PATH = '/cgi-bin/component/api_start_push_ticket';
const { appid, appsecret, token, encodingAesKey } = SIMULATOR_COMPONENT;

let simulator: WechatSimulator;
let receiver: Server;
let pushUrl: string;
/** What the receiver answers; `null`: nothing at all. */
let answer: { status: number; body: string } | null;
let received: { request: IncomingMessage; body: string }[];

beforeEach(async () => {
  simulator = await WechatSimulator.start({
    components: [SIMULATOR_COMPONENT],
    now: () => 1_760_000_000_000,
    pushTimeoutMs: 200,
  });
  answer = { status: 200, body: 'success' };
  received = [];
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ request, body: Buffer.concat(chunks).toString() });
      if (answer) response.writeHead(answer.status).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  pushUrl = `http://127.0.0.1:${port}/callback/${appid}/events`;
  simulator.updateComponent(appid, { pushUrl });
});

afterEach(async () => {
  await simulator.stop();
  receiver.closeAllConnections();
  receiver.close();
});

/** The decrypted XML of what was received, by plain AES and slicing. */
function decryptReceived(index = 0, key = encodingAesKey): string {
  const encrypted = /<Encrypt><!\[CDATA\[(.+)\]\]><\/Encrypt>/.exec(received[index]?.body ?? '');
  const aes = Buffer.from(`${key}=`, 'base64');
  const decipher = createDecipheriv('aes-256-cbc', aes, aes.subarray(0, 16));
  decipher.setAutoPadding(false);
  const text = Buffer.concat([decipher.update(encrypted?.[1] ?? '', 'base64'), decipher.final()]);
  const end = 20 + text.readUInt32BE(16);
  expect(text.subarray(end, text.length - (text.at(-1) ?? 0)).toString()).toBe(appid);
  return text.subarray(20, end).toString();
}

async function postJson(path: string, body: object): Promise<unknown> {
  const init = { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(simulator.url + path, init)).json();
}

describe('pushes', () => {
  it('look like those of WeChat', async () => {
    const result = await simulator.pushTicket(appid);
    expect(result).toMatchObject({ status: 200, body: 'success', error: null, createTime: 1.76e9 });
    expect(simulator.pushResults()).toEqual([result]);
    const { request, body } = received[0] ?? expect.fail('nothing received');
    const url = new URL(request.url ?? '', pushUrl);
    const query = Object.fromEntries(url.searchParams);
    expect(Object.keys(query)).toEqual([
      'signature',
      'timestamp',
      'nonce',
      'encrypt_type',
      'msg_signature',
    ]);
    expect(url.pathname).toBe(`/callback/${appid}/events`);
    expect(request.headers).toMatchObject({
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
    expect(decryptReceived()).toContain(
      `<ComponentVerifyTicket><![CDATA[${result.ticket}]]></ComponentVerifyTicket>`,
    );
  });

  it('report an answer that is not success', async () => {
    answer = { status: 500, body: 'sorry' };
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
    await new Promise((resolve) => receiver.close(resolve));
    const result = await simulator.pushTicket(appid);
    expect(result).toMatchObject({ status: null, error: expect.stringContaining('ECONNREFUSED') });
  });

  it('report a server that does not answer in time', async () => {
    answer = null;
    const result = await simulator.pushTicket(appid);
    expect(result).toMatchObject({ status: null, error: 'timeout after 200 ms' });
  });

  it('under way do not keep the simulator from stopping', async () => {
    answer = null;
    const arrived = new Promise((resolve) => receiver.once('request', resolve));
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
    expect(decryptReceived()).toBe(plaintext);
  });

  it('use the rotated key', async () => {
    const rotated = 'A'.repeat(43);
    const url = `${simulator.url}/__sim/components/${appid}`;
    await fetch(url, { method: 'PATCH', body: JSON.stringify({ encodingAesKey: rotated }) });
    const { ticket } = await simulator.pushTicket(appid);
    expect(decryptReceived(0, rotated)).toContain(ticket);
  });

  it('come on the interval', async () => {
    simulator.updateComponent(appid, { pushIntervalSeconds: 0.01 });
    await simulator.waitForPush(appid, { count: 2 });
    simulator.updateComponent(appid, { pushIntervalSeconds: null });
    const tickets = received.map((_push, index) => decryptReceived(index));
    expect(new Set(tickets).size).toBe(tickets.length);
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
