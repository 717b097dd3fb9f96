import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  comeBack,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
  resultOf,
  tokenOf,
} from '../support/authorizer-world.js';
import { mysqlOnly } from '../support/databases.js';
import { ProcessFleet, since } from '../support/process-fleet.js';

/** Ended by WeChat's answer, not by the limit of a stop. */
const STOP_LIMIT_MS = 5000;
const EXCHANGE_MS = 1500;

describe.each(mysqlOnly())('a hub process that gets SIGTERM while codes are due on %s', (kind) => {
  let fleet: ProcessFleet;
  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 3);
    await fleet.prime(PLATFORM, fleet.hub(0));
    await Promise.all(fleet.hubs.map(({ hub }) => hub.accessToken(PLATFORM)));
  }, 60_000);
  afterAll(() => fleet.close());

  it('does not wait for the host that died with a lease, and answers its own visitor', async () => {
    const [crashed, stopping] = [fleet.hub(0), fleet.hub(1)];
    fleet.simulator.addFault({ path: QUERY_AUTH, kind: 'hang', times: 1 });
    const account = newAccount(fleet);
    const { code } = await fleet.simulator.accounts.authorize(PLATFORM, account, { push: false });
    comeBack(crashed, code).catch(() => undefined);
    await fleet.simulator.waitForCall(QUERY_AUTH);
    await crashed.kill();
    const visitor = comeBack(stopping, code);
    // What was sent before these has been begun when they are answered.
    for (let turn = 0; turn < 20; turn += 1) await stopping.hub.get('/health/live');
    const started = performance.now();
    const exit = await stopping.stop();
    const took = since(started);
    console.log(`SIGTERM while a dead host has a code: exit ${exit} after ${took} ms`);
    expect(exit).toBe(0);
    expect(took).toBeLessThan(STOP_LIMIT_MS);
    expect(resultOf(await visitor)).toBe('pending');
  }, 60_000);

  it('finishes the exchange that has begun, and its visitor gets the result', async () => {
    const [stopping, other] = [fleet.hub(2), await fleet.addHub()];
    fleet.simulator.clearCalls();
    fleet.simulator.addFault({ path: QUERY_AUTH, kind: 'delay', delayMs: EXCHANGE_MS, times: 1 });
    const account = newAccount(fleet);
    const { code } = await fleet.simulator.accounts.authorize(PLATFORM, account, { push: false });
    const visitor = comeBack(stopping, code);
    await fleet.simulator.waitForCall(QUERY_AUTH);
    expect(await stopping.stop()).toBe(0);
    expect(resultOf(await visitor)).toBe('authorized');
    const token = await eventually('the token', async () => {
      const answer = await tokenOf(other, account);
      return answer.status === 200 ? answer : undefined;
    });
    expect(fleet.simulator.accounts.isTokenValid(token.json.authorizer_access_token)).toBe(true);
  }, 60_000);
});
