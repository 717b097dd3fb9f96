import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysqlOnly } from '../support/databases.js';
import { statementsOf, storedMessage, storeEvents } from '../support/event-store-world.js';
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
