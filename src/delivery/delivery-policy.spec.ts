import { describe, expect, it } from 'vitest';
import { parseRetryAfter, retryDelayMs } from './delivery-policy.js';

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
