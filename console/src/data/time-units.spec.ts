import { expect, it } from 'vitest';
import { unitOf } from './time-units';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

it.each([
  [0, 'second'],
  [1, 'second'],
  [2 * MINUTE - 1, 'second'],
  [2 * MINUTE, 'minute'],
  [119 * MINUTE, 'minute'],
  [2 * HOUR, 'hour'],
  [2 * DAY - 1, 'hour'],
  [2 * DAY, 'day'],
  [-119 * MINUTE, 'minute'],
  [-2 * HOUR, 'hour'],
])('%i seconds are said by the %s', (seconds, unit) => {
  expect(unitOf(seconds)[0]).toBe(unit);
});
