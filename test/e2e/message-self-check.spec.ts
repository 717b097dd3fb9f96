import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TrustedTime } from '../../src/common/trusted-time.js';
import { CredentialUses } from '../../src/component/credential-uses.js';
import { calls, PLATFORM, QUERY_AUTH } from '../support/authorizer-world.js';
import { storedState } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { messageHub } from '../support/message-world.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { HOUR, prime } from '../support/token-world.js';

/** What becomes of a request; `forward` takes it to the hub. */
type FrontMode = 'forward' | 'hang' | ((response: ServerResponse) => void);

/** What stands before a hub under its public address, such as a reverse proxy. */
class PublicFront {
  mode: FrontMode = 'forward';
  /** Where the hub is. */
  target = '';
  /** Requests that arrived. */
  arrived = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<PublicFront> {
    const server = createServer();
    const front = new PublicFront(server);
    server.on('request', (incoming, response) => front.take(incoming, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return front;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private take(incoming: IncomingMessage, response: ServerResponse): void {
    this.arrived += 1;
    if (this.mode === 'hang') return;
    if (typeof this.mode === 'function') return this.mode(response);
    const { method, headers, url = '' } = incoming;
    const outgoing = request(this.target + url, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  }
}

const OPENID = 'oFakeUserOfTheReleaseCheck00';
const NAMES = [
  'ticket',
  'official_account_text',
  'official_account_event',
  'official_account_code',
  'mini_program_code',
];

function check({ hub }: TestApp, body?: object): Promise<Answer> {
  return hub.post(`/admin/components/${COMPONENT.appid}/release-check`, body);
}

/** What each case got, by name. */
function gotOf({ json }: Answer): Record<string, string> {
  return Object.fromEntries(json.cases.map((one: any) => [one.name, one.got]));
}

function okOf({ json }: Answer): (boolean | null)[] {
  return json.cases.map((one: any) => one.ok);
}

describe.each(databaseKinds())('the check of this installation on %s', (kind) => {
  let test: TestApp;
  let front: PublicFront;
  beforeAll(async () => {
    front = await PublicFront.start();
    test = await messageHub({ database: kind, env: { PUBLIC_URL: front.url } });
    front.target = test.hub.url;
  });
  afterAll(async () => {
    await test.close();
    await front.close();
  });
  beforeEach(() => {
    front.mode = 'forward';
    front.arrived = 0;
    test.simulator.clearCalls();
  });

  it('skips the ticket while there is none, and passes with the rest', async () => {
    const answer = await check(test);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ componentAppId: PLATFORM, publicUrl: front.url, ok: true });
    expect(answer.json.cases.map((one: any) => one.name)).toEqual(NAMES);
    expect(okOf(answer)).toEqual([null, true, true, true, true]);
    expect(gotOf(answer).ticket).toBe('skipped: no ticket has arrived yet');
    expect(front.arrived).toBe(4);
  });

  it('keeps the newest 20 runs as they were answered, of each platform its own', async () => {
    const path = `/admin/components/${PLATFORM}/release-check`;
    const { json } = await check(test);
    const { runs } = (await test.hub.get(path)).json;
    expect(runs[0]).toEqual(json);
    expect(json).toMatchObject({ at: new Date(test.clock.now()).toISOString() });
    const more = Array.from({ length: 20 }, () => check(test));
    const ids = (await Promise.all(more)).map((answer) => answer.json.id);
    const kept = (await test.hub.get(path)).json.runs.map((run: any) => run.id);
    expect(kept.toSorted()).toEqual(ids.toSorted());
    const unknown = await test.hub.get('/admin/components/wxffffffffffffffff/release-check');
    expect([unknown.status, unknown.json.error.code]).toEqual([404, 'component_unknown']);
  });

  it('shows what was expected and what came', async () => {
    await prime(test);
    test.simulator.clearCalls();
    const before = await storedState(test);
    const answer = await check(test);
    expect(okOf(answer)).toEqual([true, true, true, true, true]);
    expect(gotOf(answer)).toEqual({
      ticket: 'success',
      official_account_text: 'reply: TESTCOMPONENT_MSG_TYPE_TEXT_callback',
      official_account_event: 'reply: LOCATIONfrom_callback',
      official_account_code: 'empty answer',
      mini_program_code: 'empty answer',
    });
    for (const one of answer.json.cases) expect(one.got).toBe(one.expected);
    expect(answer.json.cases[3].customerMessage).toEqual({
      ok: null,
      got: 'not checked: no authorization code was given',
      gotRemark: { code: 'check_no_code', facts: {}, why: null },
    });
    // The ticket replaced itself, and WeChat was not called.
    const after = await storedState(test);
    const tickets = await Promise.all([test.hub.ticket(), test.simulator.currentToken(PLATFORM)]);
    expect(tickets[0].json.createTime).toBe(before.tickets[0]?.Cvt_CreateTime);
    expect(after.tickets).toHaveLength(1);
    expect(after.tokens).toEqual(before.tokens);
    expect(test.simulator.callSummary().paths).toEqual({});
    expect(after.audit.length).toBe(before.audit.length + 1);
    expect(after.audit.at(-1)).toMatchObject({
      action: 'component.release_check',
      target: PLATFORM,
    });
  });

  it('shows the hub neither the time nor under which credentials WeChat pushes', async () => {
    const uses = test.app.get(CredentialUses);
    await uses.idle();
    const component = async () => (await test.hub.get(`/admin/components/${PLATFORM}`)).json;
    test.clock.advance(40 * 24 * HOUR);
    const [before, shown] = [await component(), test.app.get(TrustedTime).now()];
    expect((await check(test)).json.ok).toBe(true);
    await uses.idle();
    test.clock.advance(HOUR);
    expect(await component()).toEqual(before);
    expect(test.app.get(TrustedTime).now()).toBe(shown);
    await prime(test);
    await uses.idle();
    test.clock.advance(HOUR);
    expect((await component()).token.lastUsedAt).not.toBe(before.token.lastUsedAt);
    expect(test.app.get(TrustedTime).now()).toBe(test.clock.now() - HOUR);
  });

  it('with authorization codes also sends the customer messages', async () => {
    test.simulator.accounts.add({ appid: 'wxaaaa000000000001' });
    test.simulator.accounts.add({ appid: 'wxaaaa000000000002', kind: 'mini_program' });
    const codeOf = async (appid: string): Promise<string> =>
      (await test.simulator.accounts.authorize(PLATFORM, appid, { push: false })).code;
    const authCodes = {
      officialAccount: await codeOf('wxaaaa000000000001'),
      miniProgram: await codeOf('wxaaaa000000000002'),
    };
    const answer = await check(test, { authCodes, openid: OPENID });
    expect(answer.json.ok).toBe(true);
    const sent = answer.json.cases.slice(3).map((one: any) => one.customerMessage);
    const one = { ok: true, got: 'sent', gotRemark: { code: 'check_sent', facts: {}, why: null } };
    expect(sent).toEqual([one, one]);
    const contents = test.simulator.customMessages.last().map(({ body }) => body.text);
    expect(contents).toEqual(
      expect.arrayContaining(
        Object.values(authCodes).map((code) => ({ content: `${code}_from_api` })),
      ),
    );
    expect(calls(test, QUERY_AUTH)).toBe(2);
  });

  it('fails for a code that WeChat does not take', async () => {
    const authCodes = { officialAccount: 'queryauthcode@@@fake-never-given' };
    const { json } = await check(test, { authCodes });
    expect(json.ok).toBe(false);
    expect(json.cases[3]).toMatchObject({ ok: true, customerMessage: { ok: false } });
    expect(json.cases[3].customerMessage.got).toMatch(/WeChat did not accept/);
  });

  it('fails where something before the hub answers for it', async () => {
    front.mode = (response) => response.end('success');
    const answer = await check(test);
    expect(answer.json.ok).toBe(false);
    expect(okOf(answer)).toEqual([true, false, false, false, false]);
    expect(gotOf(answer).official_account_text).toBe('success');
  });

  it.each<[string, PublicFront['mode'], RegExp]>([
    ['an error', (response) => response.writeHead(502).end('<html>'), /^HTTP 502$/],
    ['words', (response) => response.end('OK'), /no answer that WeChat can read/],
    ['a reply of others', (response) => response.end(foreignReply()), /signature/],
    ['too much', (response) => response.end('a'.repeat(100_000)), /too long/],
    ['nothing', (response) => response.destroy(), /UND_ERR_SOCKET|ECONNRESET/],
  ])('says so where the public address answers with %s', async (_, mode, got) => {
    front.mode = mode;
    const answer = await check(test);
    expect(answer.status).toBe(200);
    expect(answer.json.ok).toBe(false);
    expect(okOf(answer)).toEqual([false, false, false, false, false]);
    for (const text of Object.values(gotOf(answer))) expect(text).toMatch(got);
  });

  it('follows no redirect', async () => {
    const elsewhere = await PublicFront.start();
    front.mode = (response) => response.writeHead(307, { location: elsewhere.url }).end();
    const answer = await check(test);
    expect(gotOf(answer).ticket).toBe('HTTP 307');
    expect(elsewhere.arrived).toBe(0);
    await elsewhere.close();
  });

  it('shows the hub’s own refusals', async () => {
    test.clock.advance(1000);
    front.mode = (response) => {
      response.writeHead(403).end('{"error":{"code":"signature_invalid","message":"no"}}');
    };
    expect(gotOf(await check(test)).ticket).toBe('HTTP 403 signature_invalid');
  });

  it.each<[string, string, object | undefined, number, string]>([
    ['of a platform that is unknown', 'wxffffffffffffffff', undefined, 404, 'component_unknown'],
    ['with codes that are none', PLATFORM, { authCodes: { miniProgram: 1 } }, 400, 'bad_request'],
    [
      'with a code that no push can hold',
      PLATFORM,
      { authCodes: { officialAccount: 'code\u0095\ud800' } },
      400,
      'bad_request',
    ],
    ['for a user that is none', PLATFORM, { openid: 'a b' }, 400, 'bad_request'],
  ])('%s is refused', async (_, appid, body, status, code) => {
    const answer = await test.hub.post(`/admin/components/${appid}/release-check`, body);
    expect([answer.status, answer.json.error.code]).toEqual([status, code]);
    expect(front.arrived).toBe(0);
  });

  it('is for administrators', async () => {
    const path = `/admin/components/${PLATFORM}/release-check`;
    const headers = { authorization: 'Bearer wrong' };
    const answer = await test.hub.request('POST', path, { headers });
    expect(answer.status).toBe(401);
    expect(front.arrived).toBe(0);
  });
});

describe('the check of an installation whose public address', () => {
  it.each<[string, string, (front: PublicFront) => Promise<void> | void, RegExp]>([
    ['hangs', 'http', (front) => void (front.mode = 'hang'), /within 6000 ms/],
    [
      'switches to another protocol',
      'http',
      (front) => void (front.mode = switchProtocols),
      /another protocol/,
    ],
    ['has no TLS', 'https', () => undefined, /SSL|TLS|EPROTO/i],
    ['is closed', 'http', (front) => front.close(), /ECONNREFUSED/],
  ])('%s says so for each case, in time', async (_, scheme, prepare, got) => {
    const front = await PublicFront.start();
    const publicUrl = front.url.replace('http', scheme);
    const test = await createTestApp({ database: 'sqlite', env: { PUBLIC_URL: publicUrl } });
    await prepare(front);
    const started = performance.now();
    const answer = await check(test);
    expect(performance.now() - started).toBeLessThan(9000);
    expect(answer.json.ok).toBe(false);
    expect(okOf(answer)).toEqual([null, false, false, false, false]);
    for (const [name, text] of Object.entries(gotOf(answer))) {
      if (name !== 'ticket') expect(text).toMatch(got);
    }
    await test.close();
    await front.close();
  });
});

/** An answer after which the connection is no longer of HTTP. */
function switchProtocols(response: ServerResponse): void {
  response.socket?.end(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  );
}

/** In the right form, and signed by somebody else. */
function foreignReply(): string {
  return (
    '<xml><Encrypt><![CDATA[AAAA]]></Encrypt><MsgSignature><![CDATA[' +
    `${'0'.repeat(40)}]]></MsgSignature><TimeStamp>1</TimeStamp><Nonce><![CDATA[1]]></Nonce></xml>`
  );
}
