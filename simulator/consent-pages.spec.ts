import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { TestClient } from './test-client.js';
import { field, Receiver } from './test-receiver.js';
import { WechatSimulator } from './wechat-simulator.js';

const PC = '/cgi-bin/componentloginpage';
const PHONE = '/wxaopen/safe/bindcomponent';
const { appid } = SIMULATOR_COMPONENT;
const OTHER = { ...SIMULATOR_COMPONENT, appid: 'wxfedcba9876543210' };
const SHOP = 'wx00000000000000a1';
const MINI = 'wx00000000000000b2';
const BACK = 'https://hub.example.com:8443/authorize/back?state=a%26b';
const REFERER = 'https://hub.example.com:8443/authorize/page';

let simulator: WechatSimulator;
let client: TestClient;
let receiver: Receiver;
let nowMs: number;

beforeEach(async () => {
  nowMs = 1_760_000_000_000;
  receiver = new Receiver();
  simulator = await WechatSimulator.start({
    components: [{ ...SIMULATOR_COMPONENT, pushUrl: `${await receiver.start()}/events` }, OTHER],
    now: () => nowMs,
  });
  simulator.accounts.add({ appid: SHOP, nickName: '<Shop> & "Co"', funcInfo: [1, 2] });
  simulator.accounts.add({ appid: MINI, kind: 'mini_program' });
  client = new TestClient(simulator);
  await client.login();
});

afterEach(async () => {
  await simulator.stop();
  await receiver.stop();
});

async function preAuthCode(): Promise<string> {
  return (await client.call('api_create_preauthcode')).pre_auth_code;
}

/** A right link with changes; `null` leaves a parameter out. */
async function open(
  change: Record<string, string | null> = {},
  { path = PC, referer = REFERER as string | null } = {},
): Promise<string> {
  const params = {
    component_appid: appid,
    pre_auth_code: change['pre_auth_code'] === undefined ? await preAuthCode() : '',
    redirect_uri: BACK,
    auth_type: '3',
    ...change,
  };
  const given = Object.entries(params).filter((entry): entry is [string, string] => !!entry[1]);
  const query = new URLSearchParams(given);
  const headers: Record<string, string> = referer === null ? {} : { referer };
  const response = await fetch(`${simulator.url}${path}?${query}`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  return response.text();
}

const reasonOf = (html: string) => /<p id="reason">(.*?)<\/p>/.exec(html)?.[1];
const accountsOf = (html: string) =>
  [...html.matchAll(/name="account" value="(.*?)"/g)].map((match) => match[1]);

/** What a browser sends when the button of an account is clicked. */
async function click(html: string, account = SHOP, funcInfo?: string): Promise<Response> {
  const form = new URLSearchParams();
  for (const [, name, value] of html.matchAll(/<input[^>]* name="(.*?)" value="(.*?)"/g)) {
    form.set(name ?? '', (value ?? '').replaceAll('&amp;', '&'));
  }
  form.set('account', account);
  if (funcInfo !== undefined) form.set('func_info', funcInfo);
  const init = { method: 'POST', body: form, redirect: 'manual' } as const;
  return fetch(`${simulator.url}/__sim/consent`, init);
}

function redirectOf(response: Response): URL {
  expect(response.status).toBe(302);
  return new URL(response.headers.get('location') ?? '');
}

describe('the login page', () => {
  it('shows the accounts that fit', async () => {
    const html = await open();
    expect(accountsOf(html)).toEqual([SHOP, MINI]);
    expect(html).toContain('&lt;Shop&gt; &amp; &quot;Co&quot;');
    expect(accountsOf(await open({ auth_type: '1' }))).toEqual([SHOP]);
    expect(accountsOf(await open({ auth_type: '2' }))).toEqual([MINI]);
    expect(accountsOf(await open({ auth_type: null }))).toEqual([SHOP, MINI]);
    expect(await open({ auth_type: '5' })).toContain('No account fits');
    expect(accountsOf(await open({ auth_type: '2', biz_appid: SHOP }))).toEqual([SHOP]);
  });

  it.each([PHONE, '/safe/bindcomponent'])('has the phone version %s', async (path) => {
    const right = { action: 'bindcomponent', no_scan: '1' };
    expect(accountsOf(await open(right, { path }))).toEqual([SHOP, MINI]);
    expect(reasonOf(await open({}, { path }))).toContain('no_scan=1');
  });

  it('stays short with thousands of accounts', async () => {
    simulator.accounts.add({ count: 5000 });
    const html = await open();
    expect(accountsOf(html)).toHaveLength(200);
    expect(html).toContain('biz_appid');
  });

  it.each([
    ['no component', { component_appid: null }, 'component_appid'],
    ['no code', { pre_auth_code: null }, 'pre_auth_code is missing'],
    ['an unknown code', { pre_auth_code: 'preauthcode@@@x' }, 'pre_auth_code is unknown'],
    ['the code of another', { component_appid: OTHER.appid }, 'pre_auth_code is unknown'],
    ['no redirect_uri', { redirect_uri: null }, 'redirect_uri is missing'],
    ['a bad redirect_uri', { redirect_uri: 'javascript:1' }, 'redirect_uri is not a URL'],
    ['an unknown auth_type', { auth_type: '7' }, 'auth_type'],
    ['an unknown biz_appid', { biz_appid: 'wx1' }, 'biz_appid wx1 is unknown'],
  ])('refuses %s', async (_case, change, reason) => {
    expect(reasonOf(await open(change))).toContain(reason);
  });

  it('refuses an expired and a used code', async () => {
    const code = await preAuthCode();
    nowMs += 1_800_000;
    expect(reasonOf(await open({ pre_auth_code: code }))).toBe('pre_auth_code is expired');
    const html = await open();
    await click(html);
    expect(reasonOf(await (await click(html)).text())).toBe('pre_auth_code is used');
  });

  it('demands a click from a page on the host of redirect_uri', async () => {
    const refused = await open({}, { referer: null });
    expect(reasonOf(refused)).toContain('no Referer');
    const strange = await open({}, { referer: 'https://hub.example.com/' });
    expect(reasonOf(strange)).toContain('not on hub.example.com');
    await client.control('PATCH', '/authorization-settings', { checkReferer: false });
    expect(accountsOf(await open({}, { referer: null }))).toHaveLength(2);
  });
});

describe('a consent', () => {
  it('redirects and pushes the event with the same code', async () => {
    const target = redirectOf(await click(await open()));
    expect(target.origin + target.pathname).toBe('https://hub.example.com:8443/authorize/back');
    const { state, auth_code: code, expires_in } = Object.fromEntries(target.searchParams);
    expect([state, expires_in]).toEqual(['a&b', '600']);
    const [event] = receiver.texts;
    expect(field(event, 'InfoType')).toBe('authorized');
    expect(field(event, 'AuthorizerAppid')).toBe(SHOP);
    expect(field(event, 'AuthorizationCode')).toBe(code);
    expect(field(event, 'CreateTime')).toBe('1760000000');
    expect(field(event, 'AuthorizationCodeExpiredTime')).toBe('1760003600');
    expect(field(event, 'PreAuthCode')).toMatch(/^preauthcode@@@/);
    const answer = await client.call('api_query_auth', { authorization_code: code });
    expect(answer.authorization_info.authorizer_appid).toBe(SHOP);
  });

  it('of changed permission sets is an update, of the same sets no event', async () => {
    await click(await open());
    const { authorizer_access_token: token } = await client.connect(SHOP);
    redirectOf(await click(await open()));
    expect(receiver.texts).toHaveLength(1);
    redirectOf(await click(await open({ category_id_list: '1|3' })));
    expect(field(receiver.texts[1], 'InfoType')).toBe('updateauthorized');
    expect(simulator.accounts.authorizationOf(appid, SHOP)?.funcInfo).toEqual([1, 3]);
    expect((await client.sendMessage(token)).errcode).toBe(40001);
    expect(reasonOf(await (await click(await open(), SHOP, 'all')).text())).toContain('ids');
  });

  it('can carry two codes, both good', async () => {
    simulator.accounts.configure({ eventCode: 'different' });
    const code = redirectOf(await click(await open())).searchParams.get('auth_code');
    const pushed = field(receiver.texts[0], 'AuthorizationCode');
    expect(pushed).not.toBe(code);
    for (const authorization_code of [code, pushed]) {
      const answer = await client.call('api_query_auth', { authorization_code });
      expect(answer.errcode).toBeUndefined();
    }
  });

  it.each([
    ['redirect_first', 0],
    ['delayed', 20],
  ] as const)('can send the event %s', async (eventTiming, eventDelayMs) => {
    simulator.accounts.configure({ eventTiming, eventDelayMs });
    redirectOf(await click(await open()));
    await simulator.waitForPush(appid);
    expect(receiver.texts).toHaveLength(1);
  });

  it('can be without an event, and without anyone to receive it', async () => {
    simulator.accounts.configure({ eventTiming: 'none' });
    redirectOf(await click(await open()));
    simulator.accounts.configure({ eventTiming: 'event_first' });
    simulator.updateComponent(appid, { pushUrl: null });
    redirectOf(await click(await open(), MINI));
    expect(receiver.texts).toEqual([]);
  });
});
