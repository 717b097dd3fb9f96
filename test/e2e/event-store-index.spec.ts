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

  it('looks for a rare type through so many at a time, and comes to the end', async () => {
    const pages: string[][] = [];
    const statements = await statementsOf(test, async () => {
      let path: string | null = '/admin/events?type=rare';
      while (path !== null) {
        const { json }: Answer = await test.hub.get(path);
        pages.push(json.events.map((one: any) => one.msgType));
        path = json.next === null ? null : `/admin/events?type=rare&before=${json.next}`;
      }
    });
    expect(pages).toEqual([[], ['rare']]);
    const reads = statements.filter(({ query: text }) => text.includes('`callback_event`'));
    const ranges = [];
    for (const { query: text, parameters } of reads) {
      const [plan] = await sql(test).query(`EXPLAIN ${text}`, parameters);
      ranges.push([plan.key, plan.type]);
    }
    expect(ranges).toEqual([
      ['PRIMARY', 'range'],
      ['PRIMARY', 'range'],
    ]);
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
