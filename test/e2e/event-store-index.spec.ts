import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds, mysqlOnly } from '../support/databases.js';
import {
  statementsOf,
  storedEvent,
  storedMessage,
  storeEvents,
  type Statement,
} from '../support/event-store-world.js';
import type { Answer } from '../support/hub-client.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';

describe.each(mysqlOnly())('/admin/events among 12 000 pushes on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    const now = test.clock.now();
    const oldest = storedMessage(now, { msgType: 'rare', account: 'a', fromUser: 'u' });
    const many = Array.from({ length: 12_000 }, (_, index) =>
      storedMessage(now - index, {
        account: `wxaccount${index % 100}`,
        fromUser: `oUser${index % 1000}`,
      }),
    );
    await storeEvents(test, [oldest, ...many]);
    await sql(test).query('ANALYZE TABLE callback_event');
  });
  afterAll(() => test.close());

  it.each([
    ['account=wxaccount7', 'callback_event_account', 50],
    ['account=nobody', 'callback_event_account', 0],
    ['user=oUser7', 'callback_event_user', 12],
    ['user=oUser7&type=text', 'callback_event_user', 12],
    ['user=nobody', 'callback_event_user', 0],
  ])('finds %s by the index %s', async (query, index, count) => {
    let found: any[] = [];
    const statements = await statementsOf(test, async () => {
      found = (await test.hub.get(`/admin/events?${query}`)).json.events;
    });
    expect(found).toHaveLength(count);
    const select = statements.find(({ query: text }) => text.includes('`callback_event`'));
    if (!select) throw new Error('No statement reads the pushes');
    const plan = await sql(test).query(`EXPLAIN ${select.query}`, select.parameters);
    expect(plan).toHaveLength(1);
    expect(plan[0]).toMatchObject({ key: index, type: expect.stringMatching(/^(ref|range)$/) });
    expect(Number(plan[0].rows)).toBeLessThan(500);
    expect(plan[0].Extra).not.toContain('filesort');
  });

  it('shows all of a kind, page after page', async () => {
    const seen = new Set<string>();
    const all = '/admin/events?kind=message&limit=200';
    let path: string | null = all;
    while (path !== null) {
      const { json }: Answer = await test.hub.get(path);
      for (const { id } of json.events) seen.add(id);
      path = json.next === null ? null : `${all}&before=${json.next}`;
    }
    expect(seen.size).toBe(12_001);
  });
});

/** By which index, and which of its columns, the database finds the pushes for a statement. */
async function accessOf(test: TestApp, { query, parameters }: Statement): Promise<string> {
  if (sql(test).options.type !== 'mysql') {
    const [step] = await sql(test).query(`EXPLAIN QUERY PLAN ${query}`, parameters);
    const [, how, index, columns = ''] =
      /^(\w+) .* INDEX (\w+)(?: \((.*)\))?/.exec(step.detail) ?? [];
    const used = new Set([...columns.matchAll(/(\w+)[=<>]/g)].map(([, name]) => name));
    const name = index?.startsWith('sqlite_autoindex') ? 'PRIMARY' : index;
    return how === 'SEARCH' ? `${name} ${[...used].join(' ')}` : step.detail;
  }
  const [plan] = await sql(test).query(`EXPLAIN FORMAT=JSON ${query}`, parameters);
  const text: string = plan.EXPLAIN;
  const one = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
  const type = one(/"access_type": "(\w+)"/);
  const used = one(/"used_key_parts": \[([^\]]*)\]/).match(/\w+/g) ?? [];
  return ['const', 'ref', 'range'].includes(type)
    ? `${one(/"key": "(\w+)"/)} ${used.join(' ')}`
    : text;
}

describe.each(databaseKinds())('events among 12 000 messages on %s', (kind) => {
  let test: TestApp;
  const other = { component: 'wxanother' };
  const INFO_TYPES = ['authorized', 'unauthorized', 'component_verify_ticket', 'Authorized'];
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    const now = test.clock.now();
    const events = INFO_TYPES.flatMap((infoType) => [
      storedEvent(now, infoType),
      storedEvent(now, infoType, other),
    ]);
    const messages = Array.from({ length: 12_000 }, (_, index) =>
      storedMessage(now + index, index % 2 === 0 ? {} : other),
    );
    await storeEvents(test, [...events, ...messages]);
    await sql(test).query(
      kind === 'mysql' ? 'ANALYZE TABLE callback_event' : 'ANALYZE callback_event',
    );
  });
  afterAll(() => test.close());

  it.each([
    ['', ['Authorized', 'Authorized', 'unauthorized', 'unauthorized', 'authorized', 'authorized']],
    ['?infoType=authorized', ['authorized', 'authorized']],
    ['?component=wxanother', ['Authorized', 'unauthorized', 'authorized']],
    ['?component=wxanother&infoType=authorized', ['authorized']],
    ['?component=nobody', []],
  ])(
    '/admin/authorizations/events%s finds those by platform and InfoType',
    async (query, found) => {
      let shown: any[] = [];
      const statements = await statementsOf(test, async () => {
        shown = (await test.hub.get(`/admin/authorizations/events${query}`)).json.events;
      });
      expect(shown.map(({ infoType }) => infoType)).toEqual(found);
      const reads = statements.filter(({ query: text }) => text.includes('callback_event'));
      const accesses = await Promise.all(reads.map((read) => accessOf(test, read)));
      const platform = 'callback_event_kind component_appid';
      const events = `${platform} info_type`;
      expect(accesses.filter((one) => ![platform, events, 'PRIMARY id'].includes(one))).toEqual([]);
      // The platforms there are, one more look for their end, and the events of each.
      const platforms = query.includes('component=') ? 0 : 2;
      expect(accesses.filter((one) => one === platform)).toHaveLength(platforms && platforms + 1);
      expect(accesses.filter((one) => one === events)).toHaveLength(platforms || 1);
    },
  );

  it('and shows each once, page after page', async () => {
    const seen: string[] = [];
    let path: string | null = '/admin/authorizations/events?limit=2';
    while (path !== null) {
      const { json }: Answer = await test.hub.get(path);
      seen.push(...json.events.map(({ id }: any) => id));
      path = json.next === null ? null : `/admin/authorizations/events?limit=2&before=${json.next}`;
    }
    expect(seen).toHaveLength(6);
    expect(seen).toEqual([...new Set(seen)].toSorted().toReversed());
  });
});

describe.each(databaseKinds())(
  '/admin/events without an index among 24 000 pushes on %s',
  (kind) => {
    let test: TestApp;
    let time: (index: number) => string;
    beforeAll(async () => {
      test = await createTestApp({ database: kind });
      const begun = test.clock.now() - 24_000_000;
      time = (index) => new Date(begun + index * 1000).toISOString();
      await storeEvents(
        test,
        Array.from({ length: 24_000 }, (_, index) =>
          storedMessage(begun + index * 1000, index % 5000 === 0 ? { msgType: 'rare' } : {}),
        ),
      );
      await sql(test).query(
        kind === 'mysql' ? 'ANALYZE TABLE callback_event' : 'ANALYZE callback_event',
      );
    });
    afterAll(() => test.close());

    /** What each page shows: seconds from the first push, one of which came each second. */
    it.each<[string, () => Record<string, string>, number[][]]>([
      ['a rare type', () => ({ type: 'rare' }), [[20_000, 15_000], [10_000, 5000], [0]]],
      [
        'of a time',
        () => ({ type: 'rare', from: time(0), to: time(15_000) }),
        [[10_000], [5000, 0]],
      ],
      ['since a time', () => ({ type: 'rare', from: time(15_000) }), [[20_000, 15_000]]],
      ['until a time', () => ({ type: 'rare', to: time(10_001) }), [[10_000, 5000], [0]]],
      ['of a time without it', () => ({ type: 'rare', from: time(1), to: time(5000) }), [[]]],
      ['of a platform', () => ({ component: COMPONENT.appid, type: 'rare', to: time(1) }), [[0]]],
      ['a time', () => ({ from: time(100), to: time(103) }), [[102, 101, 100]]],
      ['a time to come', () => ({ from: time(30_000) }), [[]]],
      ['a time before all', () => ({ to: time(0) }), [[]]],
      [
        'unknown accounts',
        () => ({ unknownAccount: 'true', type: 'rare', from: time(9000), to: time(12_000) }),
        [[10_000]],
      ],
    ])(
      'looks for %s through so many at a time, and comes to the end',
      async (_, query, expected) => {
        const pages: number[][] = [];
        const statements = await statementsOf(test, async () => {
          let before: string | null = '';
          while (before !== null) {
            const search = new URLSearchParams({ ...query(), before });
            const { json }: Answer = await test.hub.get(`/admin/events?${search}`);
            const since = Date.parse(time(0));
            pages.push(json.events.map((one: any) => (Date.parse(one.receivedAt) - since) / 1000));
            before = json.next;
          }
        });
        expect(pages).toEqual(expected);
        // Where a look through so many ends is read from the primary key alone.
        const isEnd = ({ query: text }: Statement): boolean => text.includes('OFFSET 9999');
        const reads = statements.filter(
          (one) => one.query.includes('callback_event') && !isEnd(one),
        );
        const accesses = await Promise.all(reads.map((read) => accessOf(test, read)));
        const bounded = ['PRIMARY id', 'callback_event_received received_at'];
        expect(accesses.filter((one) => !bounded.includes(one))).toEqual([]);
      },
    );
  },
);
