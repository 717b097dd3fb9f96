import { expect, it } from 'vitest';
import { isoTimeOfSeconds, unixSeconds } from './times.js';

it.each([
  ['1763798400', 1763798400],
  ['0', 0],
  ['000000000012', 12],
  ['1763798400000', undefined],
  ['', undefined],
  ['-1', undefined],
  ['1e9', undefined],
  [' 1763798400', undefined],
  ['1763798400\n', undefined],
  ['１７６３７９８４００', undefined],
  [['1763798400'], undefined],
  [undefined, undefined],
])('the Unix seconds of %j are %j', (text, seconds) => {
  expect(unixSeconds(text)).toBe(seconds);
});

it.each([
  [1763798400, '2025-11-22T08:00:00.000Z'],
  [0, '1970-01-01T00:00:00.000Z'],
  [999_999_999_999, '+033658-09-27T01:46:39.000Z'],
  [null, null],
])('%j Unix seconds are %j', (seconds, iso) => {
  expect(isoTimeOfSeconds(seconds)).toBe(iso);
});
