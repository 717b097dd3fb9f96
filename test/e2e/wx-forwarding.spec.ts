import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  tokenText,
} from '../support/authorizer-world.js';
import type { TestApp } from '../support/test-app.js';
import { secondHub } from '../support/token-world.js';
import { accountToken, apiKey } from '../support/wx-world.js';

interface Message {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

describe('what the drop-in address hands on', () => {
  let test: TestApp;
  let hub: TestApp;
  let standIn: string;
  let realToken: string;
  /** What WeChat got last. */
  let got: Message & { url: string };
  /** What it answers. */
  let answer: { headers: OutgoingHttpHeaders; body: Buffer };
  const wechat = createServer(async (incoming, outgoing) => {
    const { url = '', headers } = incoming;
    got = { url, headers, body: await buffer(incoming) };
    outgoing.writeHead(200, answer.headers).end(answer.body);
  });
  beforeAll(async () => {
    test = await authorizerHub({ database: 'sqlite' });
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    await once(wechat.listen(0, '127.0.0.1'), 'listening');
    const { port } = wechat.address() as AddressInfo;
    hub = await secondHub(test, { WECHAT_API_BASE_URL: `http://127.0.0.1:${port}` });
    standIn = await accountToken(test, account, (await apiKey(test)).key);
    realToken = await tokenText(test, account);
  });
  afterAll(async () => {
    wechat.close();
    await hub?.close();
    await test?.close();
  });

  const post = async (
    path: string,
    headers: OutgoingHttpHeaders,
    body: Buffer,
  ): Promise<Message> => {
    const outgoing = request(`${hub.hub.url}/wx/${path}`, { method: 'POST', headers });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { headers: incoming.headers, body: await buffer(incoming) };
  };

  it('is a signed call as it was signed, and the signed answer', async () => {
    const signed = {
      'wechatmp-appid': 'wxfedcba9876543210',
      'wechatmp-timestamp': '1700000000',
      'wechatmp-signature': 'Zm9yIHRoZSBjYWxs+/=',
    };
    const signedAnswer = {
      'wechatmp-appid': 'wxfedcba9876543210',
      'wechatmp-timestamp': '1700000001',
      'wechatmp-serial': '7e8b',
      'wechatmp-signature': 'Zm9yIHRoZSBhbnN3ZXI=',
      'wechatmp-serial-deprecated': '6d7a',
      'wechatmp-signature-deprecated': 'b2xk',
    };
    // Neither is JSON that a parser would write again as it was.
    const body = Buffer.from('{ "iv":"a\\/b",\n "n": 12345678901234567890.10, "iv":"\\u4e2d中" }');
    answer = {
      headers: { 'content-type': 'application/json', ...signedAnswer },
      body: Buffer.from('{"data" : "\\u4e2d", "n":1e2}\n'),
    };
    const { headers, body: answered } = await post(
      `wxa/getuserriskrank?b=%7e+x&access_token=${standIn}&a=1&a=%2F`,
      { 'content-type': 'application/json;charset=utf-8', cookie: 'own=1', ...signed },
      body,
    );
    expect(got.url).toBe(`/wxa/getuserriskrank?access_token=${realToken}&b=%7e+x&a=1&a=%2F`);
    expect(got.headers).toMatchObject({
      ...signed,
      'content-type': 'application/json;charset=utf-8',
      'content-length': String(body.length),
    });
    expect(got.headers).not.toHaveProperty('cookie');
    expect(got.body.equals(body)).toBe(true);
    expect(headers).toMatchObject({ 'content-type': 'application/json', ...signedAnswer });
    expect(answered.equals(answer.body)).toBe(true);
  });

  it.each<[string, number, OutgoingHttpHeaders]>([
    ['of a few bytes', 500, { 'content-type': 'multipart/form-data; boundary="--a b=1"' }],
    ['that is not kept', 200_000, { 'content-type': 'multipart/form-data; boundary=----x1' }],
    ['without a type', 500, {}],
    ['without a type that is not kept', 200_000, {}],
  ])('is an upload %s, with its type, length and bytes', async (_, length, headers) => {
    const body = randomBytes(length);
    answer = {
      headers: {
        'content-type': 'image/jpeg',
        'content-disposition': 'attachment; filename="é.j"',
      },
      body: randomBytes(length),
    };
    const { headers: answered, body: file } = await post(
      `cgi-bin/media/upload?access_token=${standIn}&type=image`,
      { ...headers, 'content-length': length },
      body,
    );
    expect(got.headers['content-type']).toBe(headers['content-type']);
    expect(got.headers['content-length']).toBe(String(length));
    expect(got.headers).not.toHaveProperty('transfer-encoding');
    expect(got.body.equals(body)).toBe(true);
    expect(answered).toMatchObject({
      'content-type': 'image/jpeg',
      'content-disposition': 'attachment; filename="é.j"',
    });
    expect(file.equals(answer.body)).toBe(true);
  });
});
