import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { WechatSimulator } from './wechat-simulator.js';

const TOKEN_PATH = '/cgi-bin/component/api_component_token';
const { appid, appsecret } = SIMULATOR_COMPONENT;
const HOUR_MS = 3_600_000;

let simulator: WechatSimulator;
let nowMs: number;

beforeEach(async () => {
  nowMs = 1_760_000_000_000;
  simulator = await WechatSimulator.start({
    components: [SIMULATOR_COMPONENT],
    now: () => nowMs,
    rng: () => 0.5,
  });
});

afterEach(() => simulator.stop());

interface Answer {
  errcode?: number;
  errmsg?: string;
  component_access_token: string;
  expires_in: number;
  ip_list?: string[];
}

function post(path: string, body: unknown): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(simulator.url + path, { method: 'POST', body: text });
}

async function callApi(path: string, body: unknown): Promise<Answer> {
  return (await (await post(path, body)).json()) as Answer;
}

async function control(method: string, path: string, body?: object): Promise<unknown> {
  const init = { method, ...(body && { body: JSON.stringify(body) }) };
  return (await fetch(`${simulator.url}/__sim${path}`, init)).json();
}

function issueTicket(overrides = {}): string {
  return simulator.buildTicketPush(appid, overrides).ticket ?? '';
}

function tokenBody(ticket = issueTicket()) {
  return {
    component_appid: appid,
    component_appsecret: appsecret,
    component_verify_ticket: ticket,
  };
}

async function useToken(value: string): Promise<Answer> {
  const query = new URLSearchParams({ component_access_token: value });
  return (await (
    await fetch(`${simulator.url}/cgi-bin/get_api_domain_ip?${query}`)
  ).json()) as Answer;
}

describe('api_component_token', () => {
  it('turns a ticket into a token that works', async () => {
    const response = await post(TOKEN_PATH, tokenBody());
    expect(response.headers.get('content-type')).toBe('application/json; encoding=utf-8');
    const answer = (await response.json()) as Answer;
    expect(answer).toEqual({
      component_access_token: expect.stringMatching(/^\d\d_[\w-]{147}$/),
      expires_in: 7200,
    });
    expect((await useToken(answer.component_access_token)).ip_list).toHaveLength(3);
  });

  it.each([
    ['an unknown appid', { component_appid: 'wxffffffffffffffff' }, 40013],
    ['a wrong secret', { component_appsecret: 'wrong' }, 40125],
    ['no secret', { component_appsecret: undefined }, 41004],
    ['an unknown ticket', { component_verify_ticket: 'ticket@@@unknown' }, 61006],
    ['no ticket', { component_verify_ticket: undefined }, 47001],
    ['no appid', { component_appid: undefined }, 47001],
  ])('refuses %s', async (_case, change, errcode) => {
    const answer = await callApi(TOKEN_PATH, { ...tokenBody(), ...change });
    expect(answer.errcode).toBe(errcode);
    expect(answer.errmsg).toMatch(/ rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/);
    expect(simulator.currentToken(appid)).toBeNull();
  });

  it('refuses what is no JSON POST', async () => {
    expect((await callApi(TOKEN_PATH, '{')).errcode).toBe(47001);
    expect((await callApi(TOKEN_PATH, '')).errcode).toBe(44002);
    const got = (await (await fetch(simulator.url + TOKEN_PATH)).json()) as Answer;
    expect(got.errcode).toBe(43002);
    expect((await callApi('/cgi-bin/nothing', {})).errcode).toBe(40066);
  });

  it('takes any ticket of the last 12 hours and no older one', async () => {
    const first = issueTicket();
    issueTicket();
    nowMs += 12 * HOUR_MS;
    expect((await callApi(TOKEN_PATH, tokenBody(first))).expires_in).toBe(7200);
    nowMs += 1000;
    expect((await callApi(TOKEN_PATH, tokenBody(first))).errcode).toBe(61005);
  });

  it('does not know a ticket that was never issued', async () => {
    const ticket = issueTicket({ issued: false });
    expect((await callApi(TOKEN_PATH, tokenBody(ticket))).errcode).toBe(61006);
  });

  it('checks against the rotated secret', async () => {
    simulator.updateComponent(appid, { appsecret: 'rotated' });
    expect((await callApi(TOKEN_PATH, tokenBody())).errcode).toBe(40125);
  });
});

describe('component tokens', () => {
  async function newToken(): Promise<string> {
    return (await callApi(TOKEN_PATH, tokenBody())).component_access_token;
  }

  it('leave a replaced token working for five minutes', async () => {
    const old = await newToken();
    await newToken();
    nowMs += 299_999;
    expect((await useToken(old)).errcode).toBeUndefined();
    nowMs += 1;
    expect((await useToken(old)).errcode).toBe(40001);
  });

  it('expire after their life', async () => {
    simulator.updateComponent(appid, { tokenLifeSeconds: 60 });
    const value = await newToken();
    nowMs += 60_000;
    expect((await useToken(value)).errcode).toBe(42001);
    expect((await useToken('')).errcode).toBe(41001);
    expect((await useToken('unknown')).errcode).toBe(40001);
  });

  it('can be voided', async () => {
    const value = await newToken();
    expect(await control('GET', `/components/${appid}/current-token`)).toEqual({
      component_access_token: value,
      expiresAtMs: nowMs + 7_200_000,
    });
    expect(await control('POST', '/tokens/expire', { errcode: 40001 })).toEqual({ voided: 1 });
    expect((await useToken(value)).errcode).toBe(40001);
  });
});

describe('faults', () => {
  it('answer an errcode as often as planned', async () => {
    await control('POST', '/faults', {
      path: TOKEN_PATH,
      kind: 'errcode',
      errcode: 61004,
      times: 1,
    });
    const refused = await callApi(TOKEN_PATH, tokenBody());
    expect(refused.errmsg).toMatch(
      /^access clientip is not registered requestIP: 203\.0\.113\.7 rid: /,
    );
    expect((await callApi(TOKEN_PATH, tokenBody())).expires_in).toBe(7200);
  });

  it.each([
    ['http', 502, 'text/html', /^<html>/],
    ['garbage', 200, 'application/json; encoding=utf-8', /^<!DOCTYPE/],
    ['empty', 200, 'text/html; charset=gbk', /^$/],
    ['empty_object', 200, 'application/json; encoding=utf-8', /^\{\}$/],
    ['text_plain', 200, 'text/plain', /^\{"component_access_token":"/],
  ] as const)('spoil an answer by %s', async (kind, status, type, body) => {
    simulator.addFault({ kind });
    const response = await post(TOKEN_PATH, tokenBody());
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe(type);
    expect(await response.text()).toMatch(body);
  });

  it.each(['truncate', 'reset'] as const)('cut the connection by %s', async (kind) => {
    simulator.addFault({ kind });
    await expect(callApi(TOKEN_PATH, tokenBody())).rejects.toThrow();
    expect(simulator.currentToken(appid)).toBeNull();
    expect(simulator.callSummary().paths[TOKEN_PATH]?.answered).toEqual({ [kind]: 1 });
  });

  it('issue the token first with afterEffect', async () => {
    simulator.addFault({ kind: 'reset', afterEffect: true, times: 1 });
    await expect(callApi(TOKEN_PATH, tokenBody())).rejects.toThrow();
    expect(simulator.currentToken(appid)).not.toBeNull();
  });

  it('hit by chance', async () => {
    simulator.addFault({ kind: 'empty_object', probability: 0.5 });
    simulator.addFault({ kind: 'errcode', probability: 0.6 });
    expect((await callApi(TOKEN_PATH, tokenBody())).errcode).toBe(-1);
  });

  it('delay an answer', async () => {
    simulator.addFault({ kind: 'delay', delayMs: 20 });
    expect((await callApi(TOKEN_PATH, tokenBody())).expires_in).toBe(7200);
  });

  it('can be removed', async () => {
    const { id } = (await control('POST', '/faults', { kind: 'reset' })) as { id: string };
    expect(await control('GET', '/faults')).toMatchObject([{ id, path: '*', applied: 0 }]);
    expect(await control('DELETE', `/faults/${id}`)).toEqual({ removed: 1 });
    expect(await control('POST', '/faults', { kind: 'sabotage' })).toHaveProperty('error');
  });
});

describe('held calls', () => {
  it.each([true, false])('are answered on release (afterEffect %s)', async (afterEffect) => {
    simulator.addFault({ path: TOKEN_PATH, kind: 'hang', afterEffect, times: 1 });
    const pending = callApi(TOKEN_PATH, tokenBody());
    const waited = await control('GET', `/wait?path=${TOKEN_PATH}&count=1&timeoutMs=5000`);
    expect(waited).toEqual({ arrived: 1 });
    expect(simulator.state().held).toBe(1);
    expect(simulator.currentToken(appid) !== null).toBe(afterEffect);
    expect(await control('POST', '/release')).toEqual({ released: 1 });
    const answer = await pending;
    expect(answer.component_access_token).toBe(simulator.currentToken(appid)?.value);
  });

  it('do not keep the simulator from stopping', async () => {
    simulator.addFault({ kind: 'hang' });
    const refused = expect(callApi(TOKEN_PATH, tokenBody())).rejects.toThrow();
    await simulator.waitForCall('*');
    await simulator.stop();
    await refused;
  });

  it('let a wait end in time', async () => {
    await expect(simulator.waitForCall('*', { timeoutMs: 1 })).rejects.toThrow('0 of 1');
  });
});

describe('an outage', () => {
  it('cuts every API call but no control call', async () => {
    simulator.addFault({ kind: 'hang', times: 1 });
    const held = expect(callApi(TOKEN_PATH, tokenBody())).rejects.toThrow();
    await simulator.waitForCall(TOKEN_PATH);
    expect(await control('POST', '/outage', { on: true })).toEqual({ outage: true });
    await held;
    await expect(callApi(TOKEN_PATH, tokenBody())).rejects.toThrow();
    await control('POST', '/outage', { on: false });
    expect((await callApi(TOKEN_PATH, tokenBody())).expires_in).toBe(7200);
  });
});

describe('the call log', () => {
  it('counts by path and errcode and holds no secret', async () => {
    const { component_access_token: value } = await callApi(TOKEN_PATH, tokenBody());
    await callApi(TOKEN_PATH, { ...tokenBody(), component_appsecret: 'wrong' });
    await useToken(value);
    const calls = simulator.callSummary();
    expect(await control('GET', '/calls')).toEqual(calls);
    expect(calls.paths[TOKEN_PATH]).toEqual({ arrived: 2, answered: { 0: 1, 40125: 1 } });
    expect(calls.last).toHaveLength(3);
    expect(JSON.stringify(calls)).not.toContain(value);
    await control('DELETE', '/calls');
    expect(simulator.callSummary()).toEqual({ total: 0, paths: {}, last: [] });
  });
});
