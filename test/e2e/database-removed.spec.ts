import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectSuccess, withTicketAndToken } from '../support/callback-state.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
/** The hub looks once in a second at the most. */
const LOOK_MS = 1100;

describe('a SQLite file under a running hub', () => {
  let test: TestApp;
  let path: string;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    path = test.database.url.slice('sqlite:'.length);
    await withTicketAndToken(test, appid);
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(() => test.close());

  const push = () => {
    test.clock.advance(1000);
    return test.hub.push(test.simulator.buildTicketPush(appid));
  };

  it.each([
    ['is removed', () => undefined],
    ['is replaced', () => copyFileSync(`${path}.kept`, path)],
  ])('that %s fails pushes and readiness, and one line says why', async (_what, replace) => {
    const said = vi.spyOn(Logger.prototype, 'error');
    renameSync(path, `${path}.kept`);
    replace();
    await delay(LOOK_MS);
    const refused = [await push(), await push()];
    expect(refused.map(({ status, json }) => [status, json.error?.code])).toEqual([
      [503, 'database_unavailable'],
      [503, 'database_unavailable'],
    ]);
    expect(await test.hub.get('/health/ready')).toMatchObject({
      status: 503,
      json: { database: 'down', lastFailedWrite: { code: 'SQLITE_READONLY_DBMOVED' } },
    });
    const lines = said.mock.calls.map(([message]) => String(message));
    expect(lines.filter((line) => line.includes('removed or replaced'))).toHaveLength(1);
    rmSync(path, { force: true });
    renameSync(`${path}.kept`, path);
    expectSuccess(await push());
    expect((await test.hub.get('/health/ready')).status).toBe(200);
  });

  it('that is removed makes readiness down though nothing is written', async () => {
    renameSync(path, `${path}.kept`);
    await delay(LOOK_MS);
    expect((await test.hub.get('/health/ready')).status).toBe(503);
    renameSync(`${path}.kept`, path);
    expect((await test.hub.get('/health/ready')).status).toBe(200);
  });
});
