import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawRequest } from '../support/http-exchange.js';
import { expectRefusal } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN, COMPONENT } from '../support/fake-settings.js';
import { sendBytes } from '../support/raw-socket.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const INVALIDATE = `/api/components/${COMPONENT.appid}/access-token/invalidate`;
const BEARER = { authorization: `Bearer ${ADMIN_TOKEN}` };
const JSON_TYPE = { 'content-type': 'application/json' };

/** A request line and headers, and what stands behind them; the connection is to be closed. */
function http(line: string, headers: string[] = [], body = ''): string {
  return [line, 'Host: hub', 'Connection: close', ...headers, '', body].join('\r\n');
}

const BAD = { status: 400, code: 'bad_request' };
const NOT_FOUND = { status: 404, code: 'not_found' };
const LARGE_HEAD = { status: 431, code: 'headers_too_large' };

/** What ends before there is a request, or finds no route. */
const EDGES: [string, string | Buffer, { status: number; code: string }][] = [
  ['a content-length of words', http('POST /x HTTP/1.1', ['Content-Length: abc']), BAD],
  ['a content-length below 0', http('POST /x HTTP/1.1', ['Content-Length: -1']), BAD],
  ['two lengths', http('POST /x HTTP/1.1', ['Content-Length: 1', 'Content-Length: 2']), BAD],
  [
    'a length and chunks',
    http('POST /x HTTP/1.1', ['Content-Length: 1', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    BAD,
  ],
  [
    'a broken chunk',
    http(
      `POST /callback/${COMPONENT.appid}/events HTTP/1.1`,
      ['Transfer-Encoding: chunked'],
      'zz\r\n',
    ),
    BAD,
  ],
  [
    'a broken chunk that is not looked at',
    http('POST /x HTTP/1.1', ['Transfer-Encoding: chunked'], 'zz\r\n'),
    NOT_FOUND,
  ],
  ['NUL in a header', http('GET / HTTP/1.1', ['X: \0']), BAD],
  ['an unknown method', http('FOO /health/live HTTP/1.1'), BAD],
  ['an unknown version', http('GET /health/live HTTP/3.0'), BAD],
  ['a space in its URL', http('GET /a b HTTP/1.1'), BAD],
  ['an URL without a slash', http('GET health/live HTTP/1.1'), BAD],
  ['words', 'hello\r\n\r\n', BAD],
  ['a TLS handshake', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), BAD],
  ['headers of 20 KiB', http('GET / HTTP/1.1', [`X: ${'x'.repeat(20_480)}`]), LARGE_HEAD],
  ['an URL of 20 KiB', http(`GET /${'x'.repeat(20_480)} HTTP/1.1`), LARGE_HEAD],
  [
    'a parameter of 10 KiB',
    http(`GET /admin/tokens/${'x'.repeat(10_240)} HTTP/1.1`),
    {
      status: 414,
      code: 'uri_too_long',
    },
  ],
  ['a URL that cannot be decoded', http('GET /admin/tokens/%zz HTTP/1.1'), BAD],
  ['a method that no route has', http('PROPFIND /health/live HTTP/1.1'), NOT_FOUND],
  ['a path that no route has', http('GET /nothing HTTP/1.1'), NOT_FOUND],
  [
    'a length of 9 MB',
    http(`POST ${INVALIDATE} HTTP/1.1`, [
      'Content-Length: 9000000',
      'Content-Type: application/json',
      `Authorization: Bearer ${ADMIN_TOKEN}`,
    ]),
    {
      status: 413,
      code: 'body_too_large',
    },
  ],
];

describe.each(databaseKinds())('a request to a hub on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
  });
  afterAll(() => test.close());

  it.each(EDGES)('of %s is refused in the form that all errors have', async (_, bytes, refusal) => {
    const { status, headers, body } = await sendBytes(test.hub.url, bytes);
    const { error, ...rest } = JSON.parse(body);
    expect({ status, code: error.code, rest }).toEqual({ ...refusal, rest: {} });
    expect(error.message).toMatch(/\w{2}/);
    expect(error.id).toMatch(/^[\da-f-]{36}$/);
    expect(headers.get('x-request-id')).toBe(error.id);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength(body)));
  });

  it.each([
    'application/json-patch+json',
    'application/json5',
    'application/ld+json',
    'text/json',
    'application/json/x',
    'text/xml',
    'nonsense',
    'x'.repeat(2000),
  ])('with a body of the type %s is refused', async (type) => {
    const headers = { ...BEARER, 'content-type': type };
    const body = JSON.stringify({ token: 'x' });
    const answer = await rawRequest(test.hub.url, { path: INVALIDATE, headers, body });
    expectRefusal(answer, { status: 415, code: 'unsupported_media_type' });
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON'])(
    'with a body of the type %s is read',
    async (type) => {
      const headers = { ...BEARER, 'content-type': type };
      const answer = await rawRequest(test.hub.url, { path: INVALIDATE, headers, body: '{}' });
      expectRefusal(answer, BAD);
      expect(answer.json.error.message).toContain('token');
    },
  );

  it('that nobody signed is refused before its JSON is parsed', async () => {
    const body = '{"token":';
    const unsigned = await rawRequest(test.hub.url, {
      path: INVALIDATE,
      headers: JSON_TYPE,
      body,
    });
    expectRefusal(unsigned, { status: 401, code: 'unauthorized' });
    const headers = { ...BEARER, ...JSON_TYPE };
    expectRefusal(await rawRequest(test.hub.url, { path: INVALIDATE, headers, body }), BAD);
  });

  it.each([
    [64 * 1024, BAD],
    [64 * 1024 + 1, { status: 413, code: 'body_too_large' }],
  ])('with JSON of %i bytes is answered by its length', async (bytes, refusal) => {
    const body = '{"token":"'.padEnd(bytes - 2, 'x').concat('"}');
    const headers = { ...BEARER, ...JSON_TYPE };
    expectRefusal(await rawRequest(test.hub.url, { path: INVALIDATE, headers, body }), refusal);
  });
});
