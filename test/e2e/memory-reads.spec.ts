import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';

/** Reads of a token pass over the framework's pipeline; the answers do not show it. */
describe.each(databaseKinds())('a token that is in memory on %s', (kind) => {
  let test: TestApp;
  let paths: string[];
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    paths = [
      `/api/components/${PLATFORM}/access-token`,
      `/api/authorizers/${account}/access-token`,
    ];
    for (const path of paths) await test.hub.get(path);
  });
  afterAll(() => test.close());

  const read = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(test.hub.url + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers } });

  /** The query leads through the pipeline of the framework, and changes nothing. */
  const LONG_WAY = `?component=${PLATFORM}`;

  it('is answered as the long way answers it, with the same headers', async () => {
    for (const path of paths) {
      const [long, short] = [await read(path + LONG_WAY), await read(path)];
      expect(await short.json()).toEqual(await long.json());
      const names = (answer: Response): string[] => [...answer.headers.keys()];
      expect(names(short)).toEqual(names(long));
      expect(short.headers.get('content-type')).toBe(long.headers.get('content-type'));
      expect(short.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it.each(['unknown', 'un%20known', 'x'.repeat(64), 'x'.repeat(65)])(
    'is refused as the long way refuses it for the account and platform %s',
    async (appid) => {
      for (const collection of ['components', 'authorizers']) {
        const path = `/api/${collection}/${appid}/access-token`;
        const [long, short] = [await read(path + LONG_WAY), await read(path)];
        expect(short.status).toBe(long.status);
        expect(short.status).toBeGreaterThanOrEqual(400);
        const { error } = (await short.json()) as { error: { code: string; id: string } };
        expect(await long.json()).toMatchObject({ error: { code: error.code } });
        expect(short.headers.get('x-request-id')).toBe(error.id);
      }
    },
  );

  it('is given to nobody without the right bearer token', async () => {
    for (const path of paths) {
      for (const authorization of ['', 'Bearer wrong', `Basic ${ADMIN_TOKEN}`, ADMIN_TOKEN]) {
        const answer = await read(path, { authorization });
        expect(answer.status).toBe(401);
        expect(await answer.text()).not.toContain('expires_in');
      }
    }
  });

  it('ends with its life, second by second', async () => {
    const [path] = paths as [string, string];
    const before = (await (await read(path)).json()) as { expires_in: number };
    test.clock.advance(2000);
    const after = (await (await read(path)).json()) as { expires_in: number };
    expect(after.expires_in).toBe(before.expires_in - 2);
  });

  it('is counted like every other answer', async () => {
    const { text } = await test.hub.get('/metrics');
    const counted = text
      .split('\n')
      .find(
        (line) =>
          line.startsWith('hub_http_request_duration_seconds_count') &&
          line.includes('route="/api/components/:componentAppId/access-token",status="200"'),
      );
    expect(Number(counted?.split(' ').at(-1))).toBeGreaterThanOrEqual(4);
  });

  it('is gone at once when its platform is disabled', async () => {
    await test.hub.patch(`/admin/components/${PLATFORM}`, { enabled: false });
    for (const path of paths) expect((await read(path)).status).toBe(403);
    await test.hub.patch(`/admin/components/${PLATFORM}`, { enabled: true });
    for (const path of paths) expect((await read(path)).status).toBe(200);
  });
});
