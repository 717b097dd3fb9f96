import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  newAccounts,
  pass,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';

const HOUR = 3_600_000;

describe.each(databaseKinds())('metrics of accounts on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    const accounts = newAccounts(test, 3);
    for (const account of accounts) await authorizeByEvent(test, account);
    await test.simulator.accounts.withdraw(PLATFORM, accounts[0] as string, { push: true });
  });
  afterAll(() => test.close());

  const sampleOf = async (name: string, label = ''): Promise<string | undefined> => {
    const { text } = await test.hub.get('/metrics');
    return text.split('\n').find((line) => line.startsWith(`${name}{`) && line.includes(label));
  };

  it('count them by platform and status', async () => {
    const labels = (status: string): string => `{component="${PLATFORM}",status="${status}"}`;
    expect(await sampleOf('hub_authorizers', '"active"')).toBe(
      `hub_authorizers${labels('active')} 2`,
    );
    expect(await sampleOf('hub_authorizers', '"revoked"')).toBe(
      `hub_authorizers${labels('revoked')} 1`,
    );
  });

  it('tell by how much the oldest refresh is late, and that none is once it is done', async () => {
    const seconds = async (): Promise<number> =>
      Number((await sampleOf('hub_authorizer_refresh_late_seconds'))?.split(' ')[1]);
    expect(await seconds()).toBe(0);
    // Refreshes are spread, but before the last 10 minutes of the 2 hours.
    await pass(test, 2 * HOUR);
    expect(await seconds()).toBeGreaterThanOrEqual(600);
    await authorizerTick(test);
    expect(await seconds()).toBe(0);
  });
});
