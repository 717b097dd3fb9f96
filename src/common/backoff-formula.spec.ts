import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff-formula.js';

const policy = { baseSeconds: 2, maxSeconds: 60 };
const MIDDLE = 0.5;

describe('backoffMs', () => {
  it.each([
    [1, 2000],
    [2, 4000],
    [3, 8000],
    [5, 32_000],
    [6, 60_000],
    [7, 60_000],
    [10_000, 60_000],
  ])('waits, after failure %i in a row, %i ms', (attempts, expected) => {
    expect(backoffMs(policy, attempts, MIDDLE)).toBe(expected);
  });

  it.each([0, -1])('takes a count of %i for the first failure', (attempts) => {
    expect(backoffMs(policy, attempts, MIDDLE)).toBe(2000);
  });

  it('moves every wait by up to a fifth, so that hosts do not come back together', () => {
    expect(backoffMs(policy, 1, 0)).toBe(1600);
    expect(backoffMs(policy, 1, 0.999_999)).toBe(2400);
    expect(backoffMs(policy, 99, 0)).toBe(48_000);
    expect(backoffMs(policy, 99, 0.999_999)).toBe(72_000);
  });
});
