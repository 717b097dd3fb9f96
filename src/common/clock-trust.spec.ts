import Database from 'libsql';
import { describe, expect, it } from 'vitest';
import { isOverSql, isPending, isRecent, isYetToCome, latestEnd } from './clock-trust.js';

const NOW = 1_763_798_400_000;
const HOUR = 3_600_000;
const LONGEST = 30_000;
/** How far the clocks of hosts may be apart. */
const SLACK = 10_000;
const LAST = latestEnd(LONGEST, NOW);

/** Whether a wait that ends then is on, and whether what happened then is yet to come. */
const TIMES: [string, number | null, boolean, boolean][] = [
  ['no time', null, false, false],
  ['hours ago', NOW - 3 * HOUR, false, false],
  ['a moment ago', NOW - 1, false, false],
  ['now', NOW, false, false],
  ['in a moment', NOW + 1, true, false],
  ['as far ahead as clocks may be apart', NOW + SLACK, true, false],
  ['a moment further', NOW + SLACK + 1, true, true],
  ['at the end of the longest wait', NOW + LONGEST, true, true],
  ['as far ahead as a right clock may write it', LAST, true, true],
  ['a moment beyond that', LAST + 1, false, true],
  ['in hours', NOW + 3 * HOUR, false, true],
  ['in years', NOW + 20_000 * HOUR, false, true],
];

describe('a time that a host has written', () => {
  it('may be ahead by the wait and by what clocks differ', () => {
    expect(LAST).toBe(NOW + LONGEST + SLACK);
  });

  it.each(TIMES)('%s (%s): on %s, yet to come %s', (_, time, pending, yetToCome) => {
    expect(isPending(time, LONGEST, NOW)).toBe(pending);
    expect(isRecent(time && time - LONGEST, LONGEST, NOW)).toBe(pending);
    expect(isYetToCome(time, NOW)).toBe(yetToCome);
  });

  it.each(TIMES)('%s (%s) means the same to a database', (_, time, pending) => {
    const database = new Database(':memory:');
    try {
      database.exec('CREATE TABLE rows (ends BIGINT)');
      database.exec(`INSERT INTO rows VALUES (${time ?? 'NULL'})`);
      const over = database.prepare(`SELECT 1 FROM rows WHERE ${isOverSql('ends', LONGEST, NOW)}`);
      expect(over.all()).toHaveLength(pending ? 0 : 1);
    } finally {
      database.close();
    }
  });
});
