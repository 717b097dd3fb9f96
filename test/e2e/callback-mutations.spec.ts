import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuiltPush } from '../../simulator/push-builder.js';
import { mutate, seededRandom, type Mutation } from '../support/callback-mutations.js';
import { expectSuccess, storedState } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { FakeClock } from '../support/fake-clock.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const MUTATIONS = 2000;
/** Two thousand requests on a busy machine take their time. */
const LIMIT_MS = 90_000;
const SENDERS = 8;
const SEED = 20_251_122;
/** Everything fixed, so that a failure comes again. */
const NOW = 1_763_798_400_000;

describe.each(databaseKinds())(`${MUTATIONS} mutated pushes on %s`, (kind) => {
  let test: TestApp;
  const unhandled: unknown[] = [];
  const note = (reason: unknown): number => unhandled.push(reason);
  beforeAll(async () => {
    test = await createTestApp({ database: kind, clock: new FakeClock(NOW) });
    process.on('unhandledRejection', note);
  });
  afterAll(async () => {
    process.off('unhandledRejection', note);
    await test.close();
  });

  const pushNumber = (number: number): BuiltPush =>
    test.simulator.buildTicketPush(COMPONENT.appid, {
      ticket: `ticket@@@fake-for-mutations-${number}`,
      createTime: NOW / 1000 - 100 + number,
      nonce: `10000000${number}`,
      randomHex: `${number}`.repeat(32),
    });

  it(
    'are refused, or recognised as a repetition; nothing changes and nothing is lost',
    async () => {
      const recorded = pushNumber(1);
      const fresh = pushNumber(2);
      expectSuccess(await test.hub.push(recorded));
      expect((await test.hub.accessToken()).status).toBe(200);
      const before = await storedState(test);

      const random = seededRandom(SEED);
      const mutations = Array.from({ length: MUTATIONS }, () => mutate(random, fresh, recorded));
      const outcomes = await sendAll(test, mutations);

      expect(outcomes.filter(({ expected, status }) => !expected.includes(status))).toEqual([]);
      expect(await storedState(test)).toEqual(before);
      await new Promise(setImmediate);
      expect(unhandled).toEqual([]);
      console.log(`Mutated pushes on ${kind}: ${summary(outcomes)}`);

      // Without the mutation it is taken: what was refused was refused for the mutation.
      expectSuccess(await test.hub.push(fresh));
      expect((await test.hub.ticket()).json.componentVerifyTicket).toBe(fresh.ticket);
    },
    LIMIT_MS,
  );
});

interface Outcome {
  kind: string;
  /** Statuses that this mutation may be answered with. */
  expected: number[];
  status: number;
  code: string;
}

async function sendAll(test: TestApp, mutations: Mutation[]): Promise<Outcome[]> {
  const queue = [...mutations];
  const outcomes: Outcome[] = [];
  const sender = async (): Promise<void> => {
    for (let next = queue.pop(); next; next = queue.pop()) outcomes.push(await send(test, next));
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  return outcomes;
}

async function send(test: TestApp, mutation: Mutation): Promise<Outcome> {
  const { kind, query, body, headers, untouched } = mutation;
  const path = `/callback/${COMPONENT.appid}/events?${query}`;
  const { status, text, json } = await test.hub.request('POST', path, {
    body: new Uint8Array(body),
    headers,
  });
  const code = status === 200 ? text : String(json?.error?.code);
  return { kind, expected: untouched ? [200] : [400, 403], status, code };
}

function summary(outcomes: Outcome[]): string {
  const counts = new Map<string, number>();
  for (const { code } of outcomes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([code, count]) => `${count} ${code}`)
    .join(', ');
}
