import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { MemoryReads } from '../../src/auth/memory-reads.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';

/** Reads of a token that memory knows take a short way; nobody must be able to tell. */
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

  it('is answered as the long way answers it, with the same headers', async () => {
    for (const path of paths) {
      // The copy in memory is older than what is answered without looking again: the long way,
      // which looks, so that the next read takes the short one.
      test.clock.advance(3500);
      const long = await read(path);
      await test.hub.get(path);
      const short = await read(path);
      expect(await short.json()).toEqual(await long.json());
      const names = (answer: Response): string[] => [...answer.headers.keys()];
      expect(names(short)).toEqual(names(long));
      expect(short.headers.get('content-type')).toBe(long.headers.get('content-type'));
      expect(short.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it('is asked for at routes that there are', () => {
    const { routes } = test.app.get(MemoryReads);
    expect(routes).toHaveLength(2);
    const fastify = test.app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
    for (const url of routes) expect(fastify.hasRoute({ method: 'GET', url })).toBe(true);
  });

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
