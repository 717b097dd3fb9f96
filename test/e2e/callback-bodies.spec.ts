import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BuiltPush } from '../../simulator/push-builder.js';
import {
  entityBomb,
  hiddenNesting,
  hostileBody,
  longEncrypt,
  nested,
} from '../support/callback-hostile.js';
import { rawRequest } from '../support/http-exchange.js';
import {
  expectRefusal,
  storedState,
  withTicketAndToken,
  type Refusal,
  type StoredState,
} from '../support/callback-state.js';
import { COMPONENT } from '../support/fake-settings.js';
import { heapUsed } from '../support/heap.js';
import type { Answer } from '../support/hub-client.js';
import { databasesAndUrls } from '../support/message-pushes.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const MEBIBYTE = 1024 * 1024;
const XML: Refusal = { status: 400, code: 'xml_invalid', errcode: -40002 };
const MISSING: Refusal = { status: 400, code: 'field_missing' };
const INVALID: Refusal = { status: 400, code: 'field_invalid' };
const UNSIGNED: Refusal = { status: 403, code: 'signature_invalid', errcode: -40001 };
const TOO_LARGE: Refusal = { status: 413, code: 'body_too_large' };

const refused = 'a body on %s to %s is refused, and changes nothing,';
describe.each(databasesAndUrls())(refused, (kind, url) => {
  let test: TestApp;
  let before: StoredState;
  let built: BuiltPush;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    await withTicketAndToken(test, COMPONENT.appid);
    built = atUrl(test.simulator.buildTicketPush(COMPONENT.appid));
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    before = await storedState(test);
    expect(before.events).toHaveLength(1);
  });
  afterEach(async () => {
    expect(await storedState(test)).toEqual(before);
  });

  function atUrl(push: BuiltPush): BuiltPush {
    return { ...push, path: push.path.replace('/events?', `/${url}?`) };
  }

  /** Sent with a query that would be right for another body. */
  function send(body: string | Buffer | Buffer[]): Promise<Answer> {
    const headers = { 'content-type': 'text/xml' };
    return rawRequest(test.hub.url, { path: built.path, headers, body });
  }

  it.each<[string, string | Buffer, Refusal]>([
    ['that is empty', '', XML],
    ['of white space', ' \r\n', XML],
    ['of words', 'success', XML],
    ['of JSON', '{"ToUserName":"gh_fake","Encrypt":"AAAA"}', UNSIGNED],
    ['of JSON cut short', '{"ToUserName":"gh_fake","Encrypt":"AAAA"', XML],
    ['of JSON without Encrypt', '{"ToUserName":"gh_fake"}', MISSING],
    ['of JSON with fields within Encrypt', '{"Encrypt":{"a":"A"}}', XML],
    ['of 100 000 nested brackets', `{"Encrypt":${'['.repeat(100_000)}`, XML],
    ['of 100 000 fields of JSON', `{${'"a":1,'.repeat(100_000)}"Encrypt":"A"}`, XML],
    ['of a list of JSON', '[{"Encrypt":"AAAA"}]', XML],
    ['of a form', 'Encrypt=AAAA', XML],
    ['of HTML', '<html><br></html>', XML],
    ['of XML cut short', '<xml><Encrypt>AAAA</Encrypt>', XML],
    ['without Encrypt', '<xml><AppId>wx0123456789abcdef</AppId></xml>', MISSING],
    ['with an empty Encrypt', '<xml><Encrypt><![CDATA[]]></Encrypt></xml>', MISSING],
    ['with two of Encrypt', '<xml><Encrypt>A</Encrypt><Encrypt>A</Encrypt></xml>', INVALID],
    ['with fields within Encrypt', '<xml><Encrypt><a>A</a></Encrypt></xml>', XML],
    ['with a reference', '<xml><Encrypt>A&amp;A</Encrypt></xml>', XML],
    ['with attributes', '<xml><Encrypt a="b">AAAA</Encrypt></xml>', XML],
    ['with encrypt in lower case', '<xml><encrypt>AAAA</encrypt></xml>', MISSING],
    ['with a root of text', '<xml>AAAA</xml>', MISSING],
    ['with a DOCTYPE', '<!DOCTYPE xml><xml><Encrypt>AAAA</Encrypt></xml>', XML],
    [
      'with an external entity',
      '<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Encrypt>&e;</Encrypt></xml>',
      XML,
    ],
    ['with an entity bomb', entityBomb(), XML],
    ['of 10 000 nested tags', nested(10_000), XML],
    ['of nested tags behind an attribute', hiddenNesting(10_000), XML],
    ['of 10 000 elements', `<xml>${'<a/>'.repeat(10_000)}</xml>`, XML],
    ['with NUL in text', '<xml><Encrypt>AA\0AA</Encrypt></xml>', XML],
    ['of nothing but NUL', Buffer.alloc(1000), XML],
    ['of invalid UTF-8', Buffer.from('<xml><Encrypt>\xff\xfe</Encrypt></xml>', 'latin1'), XML],
    ['of UTF-16', Buffer.from('\ufeff<xml><Encrypt>AAAA</Encrypt></xml>', 'utf16le'), XML],
    ['of GBK', Buffer.from([...Buffer.from('<xml><Encrypt>'), 0xcf, 0xfb, 0xcf, 0xa2]), XML],
    ['of exactly 1 MiB that nobody signed', longEncrypt(MEBIBYTE), UNSIGNED],
    ['of 1 MiB and one byte', longEncrypt(MEBIBYTE + 1), TOO_LARGE],
    ['of 2 MiB', longEncrypt(2 * MEBIBYTE), TOO_LARGE],
  ])('%s', async (_, body, refusal) => {
    expectRefusal(await send(body), refusal);
  });

  it('of 2 MiB that does not say its length', async () => {
    const parts = Array.from({ length: 32 }, () => Buffer.alloc(MEBIBYTE / 16, 'A'));
    expectRefusal(await send(parts), TOO_LARGE);
  });

  it('that is missing, type and all', async () => {
    const answer = await rawRequest(test.hub.url, { path: built.path });
    expectRefusal(answer, XML);
  });

  it('300 times over, without keeping memory', async () => {
    const hostile = async (from: number, to: number): Promise<void> => {
      for (let index = from; index < to; index += 1) {
        const { status } = await send(hostileBody(index));
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
      }
    };
    await hostile(0, 20);
    const heapBefore = heapUsed();
    await hostile(0, 300);
    const growth = (heapUsed() - heapBefore) / MEBIBYTE;
    console.log(
      `Heap after 300 hostile bodies on ${kind} to ${url}: ${growth.toFixed(1)} MiB more`,
    );
    expect(growth).toBeLessThan(8);
  });
});
