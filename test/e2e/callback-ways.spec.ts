import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuiltPush } from '../../simulator/push-builder.js';
import { RefusedPushes } from '../../src/callback/refused-pushes.js';
import { COMPONENT } from '../support/fake-settings.js';
import { rawRequest, type RawRequest } from '../support/http-exchange.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const FROM = '192.0.2.7';

/** Pushes as a refusal, or its absence, shows them. */
const PUSHES: [string, (push: BuiltPush) => RawRequest][] = [
  ['that is right', ({ path, body }) => ({ path, body })],
  [
    'of another Token',
    ({ path, body }) => ({ path: path.replace(/msg_signature=../, 'msg_signature=zz'), body }),
  ],
  ['of an unknown platform', ({ path, body }) => ({ path: path.replace(appid, 'wxnobody'), body })],
  ['that is no document', ({ path }) => ({ path, body: 'nothing that WeChat sends' })],
  [
    'behind a thousand parameters more',
    ({ path, body }) => ({ path: path.replace('?', `?${'a&'.repeat(1200)}`), body }),
  ],
  ['without a nonce', ({ path, body }) => ({ path: path.replace(/nonce=[^&]*/, 'n=1'), body })],
];

/** Requests that say the same and look otherwise: the framework's routes take them. */
const WAYS: [string, (request: RawRequest) => RawRequest][] = [
  [
    'in capitals',
    (request) => ({ ...request, path: request.path.replace('/callback', '/CallBack') }),
  ],
  ['with a slash more', (request) => ({ ...request, path: request.path.replace('?', '/?') })],
  ['with slashes doubled', (request) => ({ ...request, path: request.path.replace('/', '//') })],
  [
    'with an escaped query',
    (request) => ({ ...request, path: request.path.replace('timestamp=1', 'timestamp=%31') }),
  ],
  ['of unknown length', (request) => ({ ...request, body: [Buffer.from(String(request.body))] })],
];

describe('a push that looks odd', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite', env: { TRUSTED_PROXIES: '127.0.0.1' } });
  });
  afterAll(() => test.close());

  /** Pushes so far, by the status of their answers. */
  const asked = new Map<number, number>();

  /** What WeChat sees, without what differs from answer to answer. */
  function seen({ status, headers, text, json }: Answer): object {
    const { 'x-request-id': id, date, ...same } = Object.fromEntries(headers);
    expect(id).toMatch(/^[\da-f-]{36}$/);
    expect(date).toBeDefined();
    const error = (json as { error?: { id: string } } | undefined)?.error;
    if (error) expect(error.id).toBe(id);
    // The id of an error stands in its text, too.
    return { status, headers: same, text: text.replaceAll(id ?? '', '') };
  }

  async function refusals(): Promise<number> {
    await test.app.get(RefusedPushes).flush();
    const { json } = await test.hub.get('/admin/refused-pushes?limit=200');
    const rows: { sourceAddress: string; count: number }[] = json.refusedPushes;
    const own = rows.filter(({ sourceAddress }) => sourceAddress === FROM);
    return own.reduce((sum, { count }) => sum + count, 0);
  }

  describe.each(PUSHES)('%s', (_name, sent) => {
    it.each(WAYS)('%s is answered and counted as a plain one', async (_way, odd) => {
      const ask = async (change: (request: RawRequest) => RawRequest) => {
        const request = change(sent(test.simulator.buildTicketPush(appid)));
        const headers = { 'content-type': 'text/xml', 'x-forwarded-for': FROM };
        const refusedBefore = await refusals();
        const answer = await rawRequest(test.hub.url, { ...request, headers });
        return { ...seen(answer), refused: (await refusals()) - refusedBefore };
      };
      const plain = (await ask((request) => request)) as { status: number; refused: number };
      expect(await ask(odd)).toEqual(plain);
      expect(plain.refused).toBe(plain.status === 200 ? 0 : 1);
      asked.set(plain.status, (asked.get(plain.status) ?? 0) + 2);
      // The framework counts when its answer has left.
      await expect
        .poll(() => test.hub.answered('POST', '/callback/:componentAppId/events', plain.status))
        .toBe(asked.get(plain.status));
    });
  });
});
