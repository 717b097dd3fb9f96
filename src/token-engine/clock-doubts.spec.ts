import { Logger } from '@nestjs/common';
import { beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { ClockDoubts } from './clock-doubts.js';

const MINUTE = 60_000;

describe('what a clock that is ahead has written', () => {
  beforeAll(() => Logger.overrideLogger(false));

  it('is overruled at once, and again until it has changed', () => {
    const doubts = new ClockDoubts(new FakeClock());
    expect([1, 2, 3].map(() => doubts.mayOverrule('a token', 7))).toEqual([true, true, true]);
  });

  it('and is written anew is overruled every half hour, each place for itself', () => {
    const clock = new FakeClock();
    const doubts = new ClockDoubts(clock);
    const overruled: number[] = [];
    for (let minute = 0; minute <= 61; minute += 1) {
      if (doubts.mayOverrule('a token', minute)) overruled.push(minute);
      clock.advance(MINUTE);
    }
    expect(overruled).toEqual([0, 30, 60]);
    expect(doubts.mayOverrule('another token', 1)).toBe(true);
  });

  it('does not count from a time that this host itself has left by putting its clock right', () => {
    const clock = new FakeClock();
    const doubts = new ClockDoubts(clock);
    doubts.mayOverrule('a token', 1);
    clock.advance(-180 * MINUTE);
    expect(doubts.mayOverrule('a token', 2)).toBe(true);
  });
});
