import { describe, expect, it } from 'vitest';
import { HOUR_MS } from '../common/times.js';
import { HourlyCounts, type Counted } from './hourly-counts.js';

const NOW = 500_000 * HOUR_MS + 1234;
const call = (facts: Partial<Counted> = {}): Counted => ({
  kind: 'call',
  actor: 'admin',
  componentAppId: 'wxplatform',
  authorizerAppId: 'wxaccount',
  path: 'wxa/a',
  outcome: '0',
  ...facts,
});

describe('counts of an hour', () => {
  it('add up what is the same, by the hour', () => {
    const counts = new HourlyCounts();
    counts.add(call(), NOW);
    counts.add(call({ path: '/WXA/A' }), NOW + 1);
    counts.add(call({ outcome: '45009' }), NOW);
    counts.add(call(), NOW + HOUR_MS);
    expect(counts.take()).toEqual([
      { ...call(), hour: NOW - 1234, count: 2 },
      { ...call({ outcome: '45009' }), hour: NOW - 1234, count: 1 },
      { ...call(), hour: NOW - 1234 + HOUR_MS, count: 1 },
    ]);
    expect(counts.take()).toEqual([]);
  });

  it('add what comes back to what has come meanwhile', () => {
    const counts = new HourlyCounts();
    counts.add(call(), NOW);
    const failed = counts.take();
    counts.add(call(), NOW);
    counts.giveBack(failed);
    expect(counts.take()).toMatchObject([{ count: 2 }]);
  });

  it('have 200 paths of a kind an hour, and one for all others', () => {
    const counts = new HourlyCounts();
    for (let at = 0; at < 300; at += 1) counts.add(call({ path: `a/${at}` }), NOW);
    // Not counted as a path of calls.
    counts.add(call({ kind: 'push', path: 'text' }), NOW);
    counts.add(call({ path: 'a/0' }), NOW);
    const taken = counts.take();
    expect(taken).toHaveLength(202);
    expect(taken.find(({ path }) => path === 'other')?.count).toBe(100);
    expect(taken.find(({ path }) => path === 'a/0')?.count).toBe(2);
    counts.add(call({ path: 'a/299' }), NOW + HOUR_MS);
    expect(counts.take()).toMatchObject([{ path: 'a/299' }]);
  });

  it('are of a bounded number, and none is lost', () => {
    const counts = new HourlyCounts();
    for (let at = 0; at < 25_000; at += 1) {
      counts.add(call({ authorizerAppId: `wx${at}` }), NOW);
    }
    const taken = counts.take();
    expect(taken).toHaveLength(20_001);
    expect(taken.reduce((sum, { count }) => sum + count, 0)).toBe(25_000);
    expect(taken.at(-1)).toMatchObject({ authorizerAppId: '', path: 'other', count: 5000 });
  });

  it('are of a bounded number, too, where the paths are more than are counted', () => {
    const counts = new HourlyCounts();
    for (let at = 0; at < 200; at += 1) counts.add(call({ path: `a/${at}` }), NOW);
    for (let at = 0; at < 25_000; at += 1) {
      counts.add(call({ authorizerAppId: `wx${at}`, path: 'b' }), NOW);
    }
    const taken = counts.take();
    expect(taken).toHaveLength(20_001);
    expect(taken.reduce((sum, { count }) => sum + count, 0)).toBe(25_200);
  });
});
