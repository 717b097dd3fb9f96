import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { TooManyAuthorizationsError, VISITOR_LIMITS, VisitorLimit } from './authorization-limit.js';

const { burst, refillMs, perMinute, little } = VISITOR_LIMITS;
const MINUTE = 60_000;

describe('what visitors may cost', () => {
  /** Counts until it is refused, at most `tries` times; how often it was not. */
  function admitted(limit: VisitorLimit, address: string, tries: number, appid = 'wxa'): number {
    for (let n = 0; n < tries; n += 1) {
      try {
        limit.count(appid, address);
      } catch (error) {
        expect(error).toBeInstanceOf(TooManyAuthorizationsError);
        return n;
      }
    }
    return tries;
  }

  it('is some at once by one address, and then one now and then: little a day', () => {
    const clock = new FakeClock();
    const limit = new VisitorLimit(clock);
    let cost = 0;
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      for (let n = 0; n < 6; n += 1) cost += admitted(limit, '192.0.2.1', 1);
      clock.advance(MINUTE);
    }
    expect(cost).toBeGreaterThan(400);
    expect(cost).toBeLessThanOrEqual(burst + (24 * 60 * MINUTE) / refillMs);
  });

  it('leaves others theirs, whatever one does, or two, or ten', () => {
    for (const attackers of [1, 2, 10]) {
      const clock = new FakeClock();
      const limit = new VisitorLimit(clock);
      for (let n = 0; n < attackers; n += 1) admitted(limit, `198.51.100.${n}`, 1000);
      for (let n = 0; n < 7; n += 1) {
        expect(admitted(limit, `203.0.113.${n}`, little)).toBe(little);
      }
    }
  });

  it('is a bound for all together, each platform with its own', () => {
    const limit = new VisitorLimit(new FakeClock());
    const many = Array.from({ length: 500 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
    const sum = (appid: string): number =>
      many.reduce((all, address) => all + admitted(limit, address, 1, appid), 0);
    expect(sum('wxa')).toBe(perMinute);
    expect(sum('wxb')).toBe(perMinute);
  });

  it('says when to come back, and holds it', () => {
    const clock = new FakeClock();
    const limit = new VisitorLimit(clock);
    admitted(limit, '192.0.2.1', burst);
    const { details } = refusal(limit, '192.0.2.1');
    expect(details).toEqual({ retryAfterSeconds: refillMs / 1000 });
    clock.advance(refillMs - 1000);
    expect(admitted(limit, '192.0.2.1', 2)).toBe(0);
    clock.advance(1000);
    expect(admitted(limit, '192.0.2.1', 2)).toBe(1);
  });

  it('is taken back for what cost nothing', () => {
    const limit = new VisitorLimit(new FakeClock());
    for (let n = 0; n < 10 * perMinute; n += 1) limit.count('wxa', '192.0.2.1')();
    expect(admitted(limit, '192.0.2.1', 100)).toBe(burst);
  });

  it('is neither more nor less for a clock that is put back', () => {
    const clock = new FakeClock();
    const limit = new VisitorLimit(clock);
    admitted(limit, '192.0.2.1', 100);
    clock.advance(-60 * MINUTE);
    expect(admitted(limit, '192.0.2.1', 100)).toBe(0);
    clock.advance(refillMs);
    expect(admitted(limit, '192.0.2.1', 100)).toBe(1);
    expect(admitted(limit, '192.0.2.2', 100)).toBe(burst);
  });

  function refusal(limit: VisitorLimit, address: string): TooManyAuthorizationsError {
    try {
      limit.count('wxa', address);
    } catch (error) {
      return error as TooManyAuthorizationsError;
    }
    throw new Error('It was admitted');
  }
});
