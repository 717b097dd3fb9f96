import { describe, expect, it } from 'vitest';
import { countsAsFailure, FAILING_POLICY, isHopeless } from './failing.js';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

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
    expect(FAILING_POLICY.disableAfter).toBe(days);
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
