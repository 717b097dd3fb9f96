import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isDuplicateKey } from '../../src/database/database.js';
import { insertRows } from '../../src/database/insert-rows.js';
import {
  createTestDatabase,
  databaseKinds,
  openTestDatabase,
  type TestDatabase,
} from '../support/databases.js';

interface Row extends Record<string, unknown> {
  id: string;
  name: string | null;
  count: number | null;
  note: string | null;
}

function row(id: string, values: Partial<Row> = {}): Row {
  return { id, name: null, count: null, note: null, ...values };
}

describe.each(databaseKinds())('rows inserted together on %s', (kind) => {
  let database: TestDatabase;
  let source: DataSource;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    source = await openTestDatabase(database);
    await source.query(
      'CREATE TABLE sample (id varchar(8) PRIMARY KEY, name text, count bigint, note text)',
    );
  });
  beforeEach(() => source.query('DELETE FROM sample'));
  afterAll(async () => {
    await source.destroy();
    await database.drop();
  });

  it.each<[string, Row[]]>([
    ['one alone', [row('a', { name: '中', count: 0 })]],
    ['with values that are the same', ['a', 'b', 'c'].map((id) => row(id, { name: '', count: 7 }))],
    [
      'of which some have a value',
      [row('a', { note: 'x' }), row('b', { count: 1 }), row('c', { note: 'x' })],
    ],
    ['that hold nothing but their ids', [row('a'), row('b')]],
    [
      'in more than one statement',
      Array.from({ length: 501 }, (_, at) =>
        row(String(at).padStart(4, '0'), { name: at < 500 ? 'first' : 'last', count: at }),
      ),
    ],
  ])('are there as they were given: %s', async (_, rows) => {
    await insertRows(source.manager, 'sample', rows);
    const found: Row[] = await source.query('SELECT * FROM sample ORDER BY id');
    expect(
      found.map((one) => ({ ...one, count: one.count === null ? null : Number(one.count) })),
    ).toEqual(rows);
  });

  it('are none of them there where one was there before', async () => {
    const rows = ['a', 'b', 'c'].map((id) => row(id, { name: 'same' }));
    await insertRows(source.manager, 'sample', rows.slice(1, 2));
    const error = await insertRows(source.manager, 'sample', rows).catch(
      (reason: unknown) => reason,
    );
    expect(isDuplicateKey(error)).toBe(true);
    const found: Row[] = await source.query('SELECT id FROM sample');
    expect(found).toEqual([{ id: 'b' }]);
  });
});
