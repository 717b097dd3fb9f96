import { describe, expect, it } from 'vitest';
import {
  countsAsFailure,
  DELIVERY_POLICY,
  isHopeless,
  parseRetryAfter,
  retryDelayMs,
} from './delivery-policy.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MIDDLE = 0.5;

describe('the retry schedule', () => {
  it.each([
    [1, 5 * SECOND],
    [2, 5 * MINUTE],
    [3, 30 * MINUTE],
    [4, 2 * HOUR],
    [5, 5 * HOUR],
    [6, 10 * HOUR],
    [7, 14 * HOUR],
    [8, 20 * HOUR],
    [9, 24 * HOUR],
  ])('waits after failure %d', (attempts, delay) => {
    expect(retryDelayMs(attempts, MIDDLE)).toBe(delay);
    expect(retryDelayMs(attempts, 0)).toBe(0.8 * delay);
    expect(retryDelayMs(attempts, 1)).toBe(1.2 * delay);
  });

  it('ends after the tenth', () => {
    expect(retryDelayMs(10, MIDDLE)).toBeUndefined();
    expect(retryDelayMs(10, MIDDLE, HOUR)).toBeUndefined();
  });

  it.each([
    ['less than is scheduled', 1 * SECOND, 5 * MINUTE],
    ['more than is scheduled', 7 * MINUTE, 7 * MINUTE],
    ['more than twice that', 3 * HOUR, 10 * MINUTE],
  ])('takes a wait that the target asks for within bounds: %s', (_, asked, delay) => {
    expect(retryDelayMs(2, 0, asked)).toBe(delay);
    expect(retryDelayMs(2, 1, asked)).toBe(delay);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-11-22T08:00:00Z');

  it.each([
    ['0', 0],
    ['120', 2 * MINUTE],
    ['Sun, 22 Nov 2026 08:02:00 GMT', 2 * MINUTE],
    ['Sun, 22 Nov 2026 07:00:00 GMT', 0],
    ['Sunday, 22-Nov-26 08:02:00 GMT', 2 * MINUTE],
    [undefined, undefined],
    ['', undefined],
    ['soon', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['1', SECOND],
    ['99999999999999', undefined],
    ['Mon, nonsense', undefined],
  ])('%s', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});

describe('a target', () => {
  const since = 1_000_000_000;
  const days = 120 * HOUR;

  it.each([
    ['has failed for five days', since, days, since + days, true],
    ['has failed for a moment less', since, days - 1, since + days, false],
    ['has failed so long by a clock that is not confirmed', since, days, 0, false],
    ['has failed so long by a clock that ran ahead', since, days, since + days - 1, false],
    ['has failed once, a year ago', since, 0, since + 8760 * HOUR, false],
    ['has failed twice, a year apart', since, 12 * HOUR, since + 8760 * HOUR, false],
    ['is well', null, days, since + 1000 * HOUR, false],
  ])('%s', (_, failingSince, failingMs, now, hopeless) => {
    expect(DELIVERY_POLICY.disableAfter).toBe(days);
    expect(isHopeless({ failingSince, failedAt: since, failingMs }, now)).toBe(hopeless);
  });

  it.each([
    ['none before', null, true],
    ['one a moment before', since - 1, false],
    ['one an hour before', since - HOUR, true],
    ['one of another host, whose clock is a little ahead', since + 5 * SECOND, false],
    ['one of a clock that was ahead', since + 40 * 24 * HOUR, true],
  ])('has its failure counted, with %s: %s', (_, failedAt, counts) => {
    expect(countsAsFailure({ failingSince: failedAt, failedAt, failingMs: 0 }, since)).toBe(counts);
  });
});
