import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cdata } from '../../simulator/push-builder.js';
import { rawRequest } from '../support/http-exchange.js';
import { nowSeconds, pushOf, pushXml } from '../support/callback-pushes.js';
import { expectSuccess, storedState, withTicketAndToken } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const EXCHANGE = '/cgi-bin/component/api_component_token';

describe.each(databaseKinds())('a push on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await withTicketAndToken(test, appid);
  });
  afterAll(() => test.close());

  const storedTicket = async (): Promise<unknown> =>
    (await test.hub.ticket()).json.componentVerifyTicket;
  const countEvents = async (): Promise<number> => (await storedState(test)).events.length;

  it.each([
    ['text/xml'],
    ['text/xml; charset=utf-8'],
    ['application/xml'],
    ['application/json'],
    ['application/json; charset=utf-8'],
    ['application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=x'],
    ['application/octet-stream'],
    ['text/plain'],
    ['image/png'],
    ['nonsense'],
    ['text/xml;;=;'],
    ['/'],
    [''],
  ])('is taken with the content type "%s"', async (contentType) => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    const headers = { 'content-type': contentType };
    const { path, body } = built;
    expectSuccess(await rawRequest(test.hub.url, { path, headers, body }));
    expect(await storedTicket()).toBe(built.ticket);
  });

  it('is taken without any header, and in chunks', async () => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    const parts = [built.body.slice(0, 100), built.body.slice(100)].map((part) =>
      Buffer.from(part),
    );
    expectSuccess(await rawRequest(test.hub.url, { path: built.path, body: parts }));
    expect(await storedTicket()).toBe(built.ticket);
  });

  it.each<[string, (built: { query: string; body: string }) => { query?: string; body?: string }]>([
    ['without signature', ({ query }) => ({ query: query.replace(/signature=\w+&/, '') })],
    ['without encrypt_type', ({ query }) => ({ query: query.replace('&encrypt_type=aes', '') })],
    [
      'with parameters that WeChat may add',
      ({ query }) => ({ query: `openid=a&${query}&openid=b` }),
    ],
    ['without an outer AppId', ({ body }) => ({ body: body.replace(/<AppId>.*<\/AppId>/, '') })],
    [
      'with ToUserName',
      ({ body }) => ({ body: body.replace('<xml>', '<xml><ToUserName>gh_a</ToUserName>') }),
    ],
    [
      'with white space between elements',
      ({ body }) => ({ body: body.replaceAll(/(<\/?\w+>)(?=<\/?\w)/g, '$1\r\n ') }),
    ],
    ['behind a byte order mark', ({ body }) => ({ body: `\ufeff${body}` })],
    ['with every field that WeChat has', ({ body }) => ({ body: withAllFields(body) })],
    [
      'with comments',
      ({ body }) => ({ body: body.replaceAll('<Encrypt>', '<!-- a - b --><Encrypt>') }),
    ],
    ['with an empty field', ({ body }) => ({ body: body.replace('</xml>', '<AgentID/></xml>') })],
    ['behind an XML declaration', ({ body }) => ({ body: `<?xml version="1.0"?>\n${body}\n` })],
  ])('is taken %s', async (_, change) => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    const { query = built.query, body = built.body } = change(built);
    expect([query, body]).not.toEqual([built.query, built.body]);
    expectSuccess(await test.hub.push(built, { query, body }));
    expect(await storedTicket()).toBe(built.ticket);
  });

  it.each([-599, 600])('is taken when its timestamp is %i s from the clock', async (seconds) => {
    const timestamp = nowSeconds(test) + seconds;
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid, { timestamp })));
  });

  it('sent twice is answered twice and applied once', async () => {
    test.clock.advance(1000);
    const built = test.simulator.buildTicketPush(appid);
    expectSuccess(await test.hub.push(built));
    const once = await storedState(test);
    expectSuccess(await test.hub.push(built));
    expect(await storedState(test)).toEqual(once);
  });

  it('sent 20 times at once is applied once', async () => {
    test.clock.advance(1000);
    const before = await countEvents();
    const built = test.simulator.buildTicketPush(appid);
    const answers = await Promise.all(Array.from({ length: 20 }, () => test.hub.push(built)));
    for (const answer of answers) expectSuccess(answer);
    expect(await countEvents()).toBe(before + 1);
    expect(await storedTicket()).toBe(built.ticket);
  });

  it('that is older than the last is recorded, and the newer ticket stays', async () => {
    test.clock.advance(1000);
    const newer = test.simulator.buildTicketPush(appid);
    const createTime = nowSeconds(test) - 1;
    const older = test.simulator.buildTicketPush(appid, { createTime });
    const before = await countEvents();
    expectSuccess(await test.hub.push(newer));
    expectSuccess(await test.hub.push(older));
    expect((await test.hub.ticket()).json).toMatchObject({
      componentVerifyTicket: newer.ticket,
      createTime: newer.createTime,
    });
    expect(await countEvents()).toBe(before + 2);
  });

  it('of the same second replaces the one before', async () => {
    const first = test.simulator.buildTicketPush(appid);
    const second = test.simulator.buildTicketPush(appid);
    expectSuccess(await test.hub.push(first));
    expectSuccess(await test.hub.push(second));
    expect(await storedTicket()).toBe(second.ticket);
  });

  it('of 50 that come at once, in any order, leaves the newest ticket', async () => {
    test.clock.advance(100_000);
    const now = nowSeconds(test);
    const pushes = Array.from({ length: 50 }, (_, index) =>
      test.simulator.buildTicketPush(appid, { createTime: now - ((index * 7) % 50) }),
    );
    const answers = await Promise.all(pushes.map((built) => test.hub.push(built)));
    for (const answer of answers) expectSuccess(answer);
    expect(await storedTicket()).toBe(pushes.find(({ createTime }) => createTime === now)?.ticket);
  });

  it.each([
    ['an InfoType that nobody knows', 'something_new_2031', 'something_new_2031'],
    ['an InfoType of 300 characters', 'long_'.repeat(60), 'long_'.repeat(13).slice(0, 64)],
    ['an InfoType of 70 emoji', '😀'.repeat(70), undefined],
    ['an empty InfoType', '', ''],
  ])('with %s is recorded with all its fields', async (_, infoType, stored) => {
    const before = await storedState(test);
    const xml = pushXml(test, {
      InfoType: cdata(infoType),
      ComponentVerifyTicket: undefined,
      Unknown: '<a>1</a><a>2</a>',
    });
    expectSuccess(await test.hub.push(pushOf(test, xml).built));
    const after = await storedState(test);
    expect(after).toMatchObject({ tickets: before.tickets, tokens: before.tokens });
    expect(after.events).toHaveLength(before.events.length + 1);
    const kept = String(after.events.at(-1)?.info_type);
    expect(infoType.startsWith(kept.replace('\ufffd', ''))).toBe(true);
    expect(kept.length).toBeLessThanOrEqual(64);
    if (stored !== undefined) expect(kept).toBe(stored);
  });

  it('without InfoType or CreateTime is recorded', async () => {
    const before = await countEvents();
    const xml = pushXml(test, { InfoType: undefined, CreateTime: undefined });
    expectSuccess(await test.hub.push(pushOf(test, xml).built));
    expect(await countEvents()).toBe(before + 1);
  });

  it('of almost 1 MiB is recorded whole', async () => {
    const filler = '内'.repeat(220_000);
    const { built } = pushOf(test, pushXml(test, { InfoType: 'large_one', Filler: filler }));
    expect(Buffer.byteLength(built.body)).toBeGreaterThan(880_000);
    expect(Buffer.byteLength(built.body)).toBeLessThan(1024 * 1024);
    expectSuccess(await test.hub.push(built));
    const [row] = await test.app
      .get(DataSource)
      .query("SELECT LENGTH(payload) AS bytes FROM callback_event WHERE info_type = 'large_one'");
    // Base64 of the text, which is what the encrypted column holds.
    expect(Number(row.bytes)).toBeGreaterThan((Buffer.byteLength(built.plaintext) * 4) / 3);
  });

  it('is answered at once while WeChat’s API hangs', async () => {
    test.clock.advance(7200_000);
    test.simulator.clearCalls();
    test.simulator.addFault({ path: EXCHANGE, kind: 'hang', times: 1 });
    const started = performance.now();
    expectSuccess(await test.hub.push(test.simulator.buildTicketPush(appid)));
    expect(performance.now() - started).toBeLessThan(2000);
    await test.simulator.waitForCall(EXCHANGE);
    expect(test.simulator.release(EXCHANGE)).toBe(1);
    expect((await test.hub.accessToken()).status).toBe(200);
  });
});

/** Fields of other kinds of push, as text and as CDATA. */
function withAllFields(body: string): string {
  return body.replace(
    '</xml>',
    '<ToUserName><![CDATA[gh_a]]></ToUserName><AgentID>1</AgentID><TimeStamp>1</TimeStamp>' +
      '<Nonce><![CDATA[n]]></Nonce><MsgSignature><![CDATA[s]]></MsgSignature></xml>',
  );
}
