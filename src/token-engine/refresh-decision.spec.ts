import { describe, expect, it } from 'vitest';
import {
  attemptDecision,
  isServable,
  refreshDecision,
  refreshTime,
  tokenCondition,
  type TokenTimes,
} from './refresh-decision.js';

const MINUTE = 60_000;
const OBTAINED = 1_763_798_400_000;

/** A token of 2 hours, obtained at {@link OBTAINED}. */
function token(changes: Partial<TokenTimes> = {}): TokenTimes {
  return {
    hasToken: true,
    obtainedAt: OBTAINED,
    expiresAt: OBTAINED + 120 * MINUTE,
    refreshAt: OBTAINED + 110 * MINUTE,
    invalidatedAt: null,
    leaseUntil: null,
    nextAttemptAt: null,
    lastError: null,
    ...changes,
  };
}

describe('the refresh time', () => {
  it.each([
    { life: 7200, minutes: 110, because: 'WeChat advises 1 h 50 min of 2 hours' },
    { life: 3600, minutes: 50, because: 'the margin stays 10 minutes' },
    { life: 1200, minutes: 10, because: 'margin and half life are the same' },
    { life: 600, minutes: 5, because: 'a life of the margin is refreshed at its half' },
    { life: 60, minutes: 0.5, because: 'a life of a minute is refreshed at its half' },
    { life: 1, minutes: 0.5 / 60, because: 'not even a second is refreshed at once' },
  ])('of a token of $life s is $minutes min: $because', ({ life, minutes }) => {
    expect(refreshTime(OBTAINED, life) - OBTAINED).toBe(minutes * MINUTE);
  });
});

describe('the refresh decision', () => {
  const at = (minutes: number): number => OBTAINED + minutes * MINUTE;

  it.each([
    { name: 'no token', times: token({ hasToken: false }), now: at(0), reason: 'missing' },
    { name: 'no expiry', times: token({ expiresAt: null }), now: at(0), reason: 'missing' },
    { name: 'a new token', times: token(), now: at(0), reason: 'fresh' },
    { name: 'a moment before 1 h 50 min', times: token(), now: at(110) - 1, reason: 'fresh' },
    { name: '1 h 50 min', times: token(), now: at(110), reason: 'near_expiry' },
    { name: 'a moment before 2 h', times: token(), now: at(120) - 1, reason: 'near_expiry' },
    { name: '2 h', times: token(), now: at(120), reason: 'expired' },
    {
      name: 'a token that WeChat refuses',
      times: token({ invalidatedAt: at(1) }),
      now: at(2),
      reason: 'invalidated',
    },
    {
      name: 'a refused token that has expired',
      times: token({ invalidatedAt: at(1) }),
      now: at(121),
      reason: 'expired',
    },
    {
      name: 'an exchange under way',
      times: token({ leaseUntil: at(3) }),
      now: at(3) - 1,
      reason: 'fresh',
    },
    {
      name: 'a lease that nobody gave back',
      times: token({ leaseUntil: at(3) }),
      now: at(3),
      reason: 'interrupted',
    },
    {
      name: 'a lease that ends later than any that was ever taken',
      times: token({ leaseUntil: at(180) }),
      now: at(3),
      reason: 'interrupted',
    },
    {
      name: 'a token that was got by a clock a few seconds ahead',
      times: token({ obtainedAt: at(0) + 10_000 }),
      now: at(0),
      reason: 'fresh',
    },
    {
      name: 'a token that was got in the future',
      times: token({ obtainedAt: at(180), expiresAt: at(300), refreshAt: at(290) }),
      now: at(3),
      reason: 'misdated',
    },
    {
      name: 'a token that WeChat refuses from a time in the future on',
      times: token({ invalidatedAt: at(180) }),
      now: at(3),
      reason: 'invalidated',
    },
    {
      name: 'a refresh that failed and waits',
      times: token({ refreshAt: at(180), nextAttemptAt: at(180), lastError: { kind: 'busy' } }),
      now: at(3),
      reason: 'failed',
    },
    {
      name: 'no refresh time',
      times: token({ refreshAt: null }),
      now: at(0),
      reason: 'near_expiry',
    },
  ])('for $name is $reason', ({ times, now, reason }) => {
    expect(refreshDecision(times, now)).toEqual({ due: reason !== 'fresh', reason });
  });

  it('does not loop on a token of 60 s: after a refresh nothing is due for 30 s', () => {
    const life = 60;
    const times = token({
      expiresAt: OBTAINED + life * 1000,
      refreshAt: refreshTime(OBTAINED, life),
    });
    expect(refreshDecision(times, OBTAINED + 29_999).due).toBe(false);
    expect(refreshDecision(times, OBTAINED + 30_000).due).toBe(true);
  });
});

describe('an attempt', () => {
  it.each([
    ['nothing was put off', null, null, 'allowed'],
    ['the back-off is over', 0, 'busy', 'allowed'],
    ['the back-off lasts', 1, 'busy', 'put_off'],
    ['it lasts as long as jitter and the clocks of hosts allow', 72 + 10, 'busy', 'put_off'],
    ['it lasts longer than that', 72 + 11, 'busy', 'misdated'],
    ['it lasts for hours', 3 * 3600, 'busy', 'misdated'],
    ['it lasts for hours, as it may', 3 * 3600, 'withdrawn', 'put_off'],
    ['the quota is used up for a day', 24 * 3600 + 300, 'quota', 'put_off'],
    ['the quota is used up for two', 48 * 3600, 'quota', 'misdated'],
    ['a token lived for a second', 5, null, 'put_off'],
    ['a token lived for a second, in hours', 3 * 3600, null, 'misdated'],
  ] as const)('when %s (%s s, %s) is %s', (_, seconds, kind, decision) => {
    const nextAttemptAt = seconds === null ? null : OBTAINED + seconds * 1000;
    const lastError = kind === null ? null : { kind };
    expect(attemptDecision({ nextAttemptAt, lastError }, OBTAINED)).toBe(decision);
  });
});

describe('what may be handed out', () => {
  it.each([
    { name: 'a fresh token', times: token(), minutes: 1, servable: true },
    { name: 'a token in its last ten minutes', times: token(), minutes: 119, servable: true },
    { name: 'an expired token', times: token(), minutes: 120, servable: false },
    { name: 'no token', times: token({ hasToken: false }), minutes: 1, servable: false },
  ])('$name: $servable', ({ times, minutes, servable }) => {
    expect(isServable(times, OBTAINED + minutes * MINUTE)).toBe(servable);
  });
});

describe('how a token is doing', () => {
  const failed = { attempts: 1, refreshAt: OBTAINED + 112 * MINUTE };
  it.each([
    ['new', {}, 0, 'ok'],
    ['due, and not tried yet', {}, 115, 'ok'],
    ['due, and not to be had', { ...failed, nextAttemptAt: failed.refreshAt }, 111, 'failing'],
    ['new, and a forced refresh failed', { attempts: 1 }, 5, 'ok'],
    ['refused by WeChat', { invalidatedAt: OBTAINED }, 5, 'refused'],
    ['refused, and the refresh failed', { attempts: 1, invalidatedAt: OBTAINED }, 5, 'refused'],
    ['over', failed, 120, 'none'],
    ['not there', { hasToken: false }, 0, 'none'],
  ] as const)('that is %s', (_, changes, minutes, condition) => {
    const state = { attempts: 0, ...token(), ...changes };
    expect(tokenCondition(state, OBTAINED + minutes * MINUTE)).toBe(condition);
  });
});
