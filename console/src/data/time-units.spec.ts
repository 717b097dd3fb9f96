import { expect, it } from 'vitest';
import { unitOf } from './time-units';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

it.each([
  [0, 'second', 1],
  [1, 'second', 1],
  [2 * MINUTE - 1, 'second', 1],
  [2 * MINUTE, 'minute', MINUTE],
  [119 * MINUTE, 'minute', MINUTE],
  [2 * HOUR, 'hour', HOUR],
  [2 * DAY - 1, 'hour', HOUR],
  [2 * DAY, 'day', DAY],
  [-119 * MINUTE, 'minute', MINUTE],
  [-2 * HOUR, 'hour', HOUR],
])('%i seconds are said by the %s', (seconds, unit, length) => {
  expect(unitOf(seconds)).toEqual([unit, length]);
});
