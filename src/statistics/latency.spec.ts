import { describe, expect, it } from 'vitest';
import { bucketOf, latencyOf } from './latency.js';

describe('the bucket of a time', () => {
  it.each([
    [0, '5'],
    [0.005, '5'],
    [0.0051, '10'],
    [0.2, '200'],
    [4.5, '5000'],
    [15, '15000'],
    [15.001, 'above'],
    [3600, 'above'],
  ])('of %d s is %s', (seconds, bucket) => {
    expect(bucketOf(seconds)).toBe(bucket);
  });
});

describe('percentiles of counted times', () => {
  it.each<[string, [string, number][], number | null, number | null]>([
    ['nothing', [], null, null],
    ['one bucket, evenly', [['200', 100]], 150, 199],
    ['the first bucket', [['5', 2]], 3, 5],
    ['two buckets', [['10', 98], ['1000', 2]], 8, 750], // prettier-ignore
    ['an empty one between', [['50', 1], ['5000', 1]], 50, 4940], // prettier-ignore
    ['more than the last bound', [['above', 3]], 15_000, 15_000],
  ])('of %s', (_, counts, p50Ms, p99Ms) => {
    const count = counts.reduce((sum, [, one]) => sum + one, 0);
    expect(latencyOf(new Map(counts))).toEqual({ count, p50Ms, p99Ms });
  });

  it('of a long time are those of the sums', () => {
    const hours: [string, number][][] = [[['50', 10]], [['50', 70], ['100', 20]]]; // prettier-ignore
    const sums = new Map<string, number>();
    for (const [bucket, count] of hours.flat()) sums.set(bucket, (sums.get(bucket) ?? 0) + count);
    expect(latencyOf(sums)).toEqual({ count: 100, p50Ms: 39, p99Ms: 98 });
  });
});
