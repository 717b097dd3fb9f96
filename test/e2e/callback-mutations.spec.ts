import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuiltPush } from '../../simulator/push-builder.js';
import { encryptOf } from '../support/callback-pushes.js';
import { expectSuccess, storedState } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { FakeClock } from '../support/fake-clock.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** A number in [0, 1); the same row of them for the same seed (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What arrives instead of the push. */
interface Mutation {
  kind: string;
  query: string;
  body: Buffer;
  headers: Record<string, string>;
  /** Whether what the signature covers is as it was: then the push is right, and is taken. */
  untouched: boolean;
}

type Random = () => number;
type Change = Partial<Omit<Mutation, 'kind'>>;
type Mutator = (built: BuiltPush, random: Random) => Change;

const COVERED = ['timestamp', 'nonce', 'msg_signature'];
const HEADERS: [string, string][] = [
  ['content-type', 'application/json'],
  ['content-type', 'nonsense'],
  ['content-type', ''],
  ['content-encoding', 'gzip'],
  ['x-forwarded-for', '10.0.0.1, <script>'],
  ['x-request-id', '../../etc/passwd'],
  ['authorization', 'Bearer nonsense'],
  ['user-agent', 'x'.repeat(4000)],
  ['accept', 'application/json'],
  ['te', 'trailers'],
  ['cookie', '__proto__=1; constructor=2'],
  ['range', 'bytes=0-1'],
  ['x-http-method-override', 'DELETE'],
];

const MUTATORS: Record<string, Mutator> = {
  'bits of the body flipped': flipBits,
  'bits of Encrypt flipped': (built, random) => {
    const at = built.body.indexOf(encryptOf(built));
    return flipBits(built, random, at, encryptOf(built).length);
  },
  'body cut off': (built, random) => {
    const body = Buffer.from(built.body);
    return { body: body.subarray(0, below(random, body.length)) };
  },
  'a part of Encrypt cut out': (built, random) => {
    const at = built.body.indexOf(encryptOf(built)) + below(random, encryptOf(built).length - 70);
    const length = 1 + below(random, 64);
    return { body: Buffer.from(built.body.slice(0, at) + built.body.slice(at + length)) };
  },
  'bytes put into Encrypt': (built, random) => {
    const at = built.body.indexOf(encryptOf(built)) + below(random, encryptOf(built).length);
    const junk = Buffer.from(
      Array.from({ length: 1 + below(random, 8) }, () => below(random, 256)),
    );
    const body = Buffer.from(built.body);
    return { body: Buffer.concat([body.subarray(0, at), junk, body.subarray(at)]) };
  },
  'parameter dropped': ({ params }, random) => {
    const dropped = pick(random, Object.keys(params));
    const rest = Object.entries(params).filter(([name]) => name !== dropped);
    return { query: toQuery(rest), untouched: !COVERED.includes(dropped) };
  },
  'parameter doubled': ({ query, params }, random) => {
    const name = pick(random, Object.keys(params));
    const value = random() < 0.5 ? params[name] : 'x';
    return { query: `${query}&${name}=${value}`, untouched: name === 'signature' };
  },
  'values of two parameters swapped': ({ params }, random) => {
    const [one = '', other = ''] = shuffled(random, Object.keys(params));
    return {
      query: toQuery(Object.entries({ ...params, [one]: params[other], [other]: params[one] })),
    };
  },
  'parameter renamed': ({ params }, random) => {
    const renamed = pick(random, COVERED);
    const entries = Object.entries(params);
    return {
      query: toQuery(
        entries.map(([name, value]) => [name === renamed ? name.toUpperCase() : name, value]),
      ),
    };
  },
  'character of a parameter changed': ({ params }, random) => {
    const name = pick(random, Object.keys(params));
    const value = params[name] ?? '';
    const at = below(random, value.length);
    const other = value[at] === '7' ? '%00' : '7';
    const raw = value.slice(0, at) + other + value.slice(at + 1);
    const entries = Object.entries(params).map(
      ([key, old]) => `${key}=${key === name ? raw : old}`,
    );
    return { query: entries.join('&'), untouched: name === 'signature' };
  },
  'order of parameters changed': ({ params }, random) => ({
    query: toQuery(shuffled(random, Object.entries(params))),
    untouched: true,
  }),
  'header changed': (_, random) => ({
    headers: Object.fromEntries(shuffled(random, HEADERS).slice(0, 1 + below(random, 3))),
    untouched: true,
  }),
};

/**
 * A push changed at random.
 * @param fresh never sent: what is done to what its signature covers must be refused.
 * @param recorded sent before: what its signature does not cover makes it a repetition.
 */
function mutate(random: Random, fresh: BuiltPush, recorded: BuiltPush): Mutation {
  const kind = pick(random, Object.keys(MUTATORS));
  const mutator = MUTATORS[kind] as Mutator;
  // The same draws for both, so that the choice of the push does not change the mutation.
  const seed = Math.floor(random() * 2 ** 32);
  const { untouched = false } = mutator(fresh, seededRandom(seed));
  const built = untouched ? recorded : fresh;
  const { query, body, headers } = built;
  const change = mutator(built, seededRandom(seed));
  return {
    kind,
    query,
    body: Buffer.from(body),
    ...change,
    untouched,
    headers: { ...headers, ...change.headers },
  };
}

function flipBits(built: BuiltPush, random: Random, from = 0, length = built.body.length): Change {
  const body = Buffer.from(built.body);
  const flips = new Set(
    Array.from({ length: 1 + below(random, 8) }, () => below(random, length * 8)),
  );
  for (const bit of flips) {
    const at = from + (bit >> 3);
    body.writeUInt8(body.readUInt8(at) ^ (1 << (bit & 7)), at);
  }
  return { body };
}

function toQuery(entries: [string, string | undefined][]): string {
  return new URLSearchParams(
    entries.map(([name, value]): [string, string] => [name, value ?? '']),
  ).toString();
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<T>(random: Random, list: T[]): T {
  return list[below(random, list.length)] as T;
}

function shuffled<T>(random: Random, list: T[]): T[] {
  return list
    .map((value) => ({ value, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

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
