import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuiltPush } from '../../simulator/push-builder.js';
import { count, withoutDailyResync } from '../support/authorizer-fleet.js';
import {
  comeBack,
  newAccounts,
  PLATFORM,
  QUERY_AUTH,
  resultOf,
} from '../support/authorizer-world.js';
import { mysqlOnly } from '../support/databases.js';
import type { Answer } from '../support/hub-client.js';
import type { HubProcess } from '../support/hub-process.js';
import { ProcessFleet } from '../support/process-fleet.js';

const PAIRS = Number(process.env.PAIRS ?? 400);
/** Pairs that are under way at once. */
const AT_ONCE = 25;

describe.each(mysqlOnly())('two processes on %s', (kind) => {
  let fleet: ProcessFleet;
  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 2);
    await fleet.prime(PLATFORM, fleet.hub(0));
    await withoutDailyResync(fleet, PLATFORM);
  }, 60_000);
  afterAll(() => fleet.close());

  /** As WeChat does: an event that could not be stored in time is pushed again. */
  const pushed = async ({ hub }: HubProcess, event: BuiltPush): Promise<Answer> => {
    for (;;) {
      const answer = await hub.push(event);
      if (answer.status !== 503) return answer;
    }
  };

  it('exchange each code once, whose redirect and event come to both at once', async () => {
    const accounts = newAccounts(fleet, PAIRS).entries();
    const outcomes: Record<string, number> = {};
    const worker = async (): Promise<void> => {
      for (const [index, account] of accounts) {
        const [one, two] = [fleet.hub(index % 2), fleet.hub((index + 1) % 2)];
        const { code, event } = await fleet.simulator.accounts.authorize(PLATFORM, account, {
          push: false,
        });
        const ways = [comeBack(one, code), pushed(two, event as BuiltPush)];
        for (const answer of await Promise.all(ways)) {
          const outcome = resultOf(answer) ?? answer.text;
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(outcomes).toEqual({ authorized: PAIRS, success: PAIRS });
    expect(fleet.simulator.callSummary().paths[QUERY_AUTH]?.arrived).toBe(PAIRS);
    const active =
      "SELECT COUNT(*) FROM authorizer WHERE status = 'active' AND generation = 1 " +
      'AND refresh_token IS NOT NULL';
    expect(await count(fleet, active)).toBe(PAIRS);
  }, 120_000);
});
