import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { TrustedTime } from './trusted-time.js';

const NOW = 1_763_798_400_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('time for what cannot be undone', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each<[string, number[], number, boolean]>([
    ['nothing was shown', [], 0, false],
    ['WeChat shows the same', [NOW], NOW, true],
    ['WeChat has shown it a while ago', [NOW - 10_000], NOW - 10_000, true],
    ['the clock is 40 days ahead', [NOW - 40 * DAY], NOW - 40 * DAY, false],
    ['the clock is 40 days behind', [NOW + 40 * DAY], NOW, false],
    ['something old is shown again', [NOW, NOW - DAY], NOW, true],
    ['what is shown is no time', [NaN, Infinity - Infinity], 0, false],
  ])('%s', (_, shown, expected, confirmed) => {
    const time = new TrustedTime(new FakeClock(NOW));
    for (const at of shown) time.witness(at);
    expect([time.now(), time.isConfirmed()]).toEqual([expected, confirmed]);
  });

  it('stands still after a jump, which is logged once, and goes on when it is confirmed', () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const clock = new FakeClock(NOW);
    const time = new TrustedTime(clock);
    time.witness(NOW);
    for (let task = 0; task < 3; task += 1) {
      clock.advance(DAY);
      expect(time.nowForTask()).toBe(NOW);
    }
    expect(warn).toHaveBeenCalledTimes(1);
    time.witness(clock.now());
    expect(time.nowForTask()).toBe(NOW + 3 * DAY);
    clock.advance(-DAY);
    expect(time.nowForTask()).toBe(NOW + 2 * DAY);
    expect(warn).toHaveBeenCalledTimes(2);
  });
});
