import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError } from '../database/database.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { ExchangeFailureKind } from './failure-policy.js';
import { FAILURE_POLICIES, failureKind, nextAttemptAt } from './failure-policy.js';

const NOW = Date.parse('2025-11-22T08:00:00Z');
/** Draws at which the jitter is least, none and most. */
const LEAST = 0;
const MIDDLE = 0.5;
const MOST = 1 - Number.EPSILON;

function wait(kind: ExchangeFailureKind, attempts: number, random = MIDDLE): number {
  return (nextAttemptAt(kind, attempts, NOW, random) - NOW) / 1000;
}

/** Kind, seconds before the second try, longest wait, whether a person must act. */
const TABLE: [ExchangeFailureKind, number, number, boolean][] = [
  ['busy', 2, 60, false],
  ['network', 2, 60, false],
  ['proxy', 2, 60, true],
  ['internal', 5, 60, false],
  ['garbage', 5, 120, false],
  ['rate', 60, 300, false],
  ['ticket', 60, 600, false],
  ['token', 60, 1800, true],
  ['secret', 60, 1800, true],
  ['ip', 60, 600, true],
  ['banned', 600, 3600, true],
  ['request', 300, 3600, true],
  ['code', 600, 3600, false],
  ['refresh_token', 3600, 86_400, true],
  ['withdrawn', 3600, 86_400, false],
  ['unknown', 30, 600, true],
];

describe('the failure policy', () => {
  it.each(TABLE)(
    'of %s tries again after %i s, then doubles up to %i s',
    (kind, first, longest) => {
      expect(wait(kind, 1)).toBe(first);
      expect(wait(kind, 2)).toBe(Math.min(2 * first, longest));
      expect(wait(kind, 3)).toBe(Math.min(4 * first, longest));
      expect(wait(kind, 50)).toBe(longest);
      expect(wait(kind, 1_000_000)).toBe(longest);
    },
  );

  it.each(TABLE)('of %s spreads hosts by a fifth at most and never tries at once', (kind) => {
    for (const attempts of [1, 4, 50]) {
      const middle = wait(kind, attempts);
      expect(wait(kind, attempts, LEAST)).toBeCloseTo(0.8 * middle, 2);
      expect(wait(kind, attempts, MOST)).toBeCloseTo(1.2 * middle, 2);
      expect(wait(kind, attempts, LEAST)).toBeGreaterThan(1);
    }
  });

  it.each(TABLE)('of %s: %i s, %i s, a person must act: %s', (kind, _first, _longest, operator) => {
    expect(FAILURE_POLICIES[kind].operator).toBe(operator);
    expect(FAILURE_POLICIES[kind].advice).not.toBe('');
  });

  it('covers every kind of failure in this table', () => {
    const covered = [...TABLE.map(([kind]) => kind), 'quota'];
    expect(Object.keys(FAILURE_POLICIES).toSorted()).toEqual(covered.toSorted());
  });

  it.each([
    { now: '2025-11-22T08:00:00Z', midnight: '2025-11-22T16:00:00Z', beijing: '16:00' },
    { now: '2025-11-22T15:59:59.999Z', midnight: '2025-11-22T16:00:00Z', beijing: '23:59' },
    { now: '2025-11-22T16:00:00Z', midnight: '2025-11-23T16:00:00Z', beijing: '00:00' },
    { now: '2025-12-31T20:00:00Z', midnight: '2026-01-01T16:00:00Z', beijing: '04:00' },
  ])('waits with a used-up quota at $beijing until the next midnight in Beijing', (times) => {
    const now = Date.parse(times.now);
    const midnight = Date.parse(times.midnight);
    for (const attempts of [1, 7]) {
      expect(nextAttemptAt('quota', attempts, now, LEAST)).toBe(midnight);
      expect(nextAttemptAt('quota', attempts, now, MIDDLE)).toBe(midnight + 150_000);
      expect(nextAttemptAt('quota', attempts, now, MOST)).toBeLessThanOrEqual(midnight + 300_000);
    }
    expect(FAILURE_POLICIES.quota.operator).toBe(true);
  });

  it("takes WeChat's kind from its error and anything else for unreachable", () => {
    expect(failureKind(new WechatApiError('/path', 'ip', 'refused', {}))).toBe('ip');
    expect(failureKind(new DatabaseUnavailableError(undefined))).toBe('internal');
    expect(failureKind('thrown text')).toBe('internal');
  });
});
