import { describe, expect, it } from 'vitest';
import { HubError } from '../common/hub-error.js';
import { Secret } from '../common/secret.js';
import {
  codeRefused,
  confirmed,
  granted,
  informed,
  isListedAsKnown,
  listed,
  movedIn,
  moveInStep,
  stopped,
  withdrawn,
  type Account,
  type Grant,
  type InfoAnswer,
  type MovedIn,
  type Transition,
} from './authorizer-transitions.js';

const SECOND = 1000;
const HOUR = 3_600_000;
const NOW = 1_763_798_400_000;
/** Of the newest event about the account, in Unix seconds. */
const EVENT = NOW / 1000 - 600;

/** What failed before, and an access token: each ends where the account is granted or stopped. */
const USED = {
  invalidatedAt: NOW - SECOND,
  forcedAt: NOW - SECOND,
  attempts: 3,
  nextAttemptAt: NOW + HOUR,
  lastError: '{}',
  leaseOwner: 'host',
  leaseUntil: NOW + SECOND,
  expiresIn: 7200,
  obtainedAt: NOW - HOUR,
  expiresAt: NOW + HOUR,
};
const UNTRIED = {
  invalidatedAt: null,
  forcedAt: null,
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
  leaseOwner: null,
  leaseUntil: null,
};
const NO_ACCESS_TOKEN = { accessToken: null, expiresIn: null, obtainedAt: null, expiresAt: null };

/** An account that has authorized, with everything that a row can hold. */
function account(changes: Partial<Account> = {}): Account {
  return {
    componentAppId: 'wxcomponent',
    authorizerAppId: 'wxaccount',
    status: 'active',
    type: 'official_account',
    nickName: 'Name',
    userName: 'gh_1',
    principalName: 'Company',
    headImg: null,
    verifyType: 0,
    serviceType: 2,
    accountStatus: 1,
    registerType: null,
    funcInfo: '[1,2]',
    infoDueAt: null,
    refreshToken: new Secret('own'),
    firstAuthorizedAt: NOW - 9 * HOUR,
    lastAuthorizedAt: NOW - HOUR,
    revokedAt: null,
    eventTime: EVENT,
    usedAt: NOW - 8 * HOUR,
    resyncId: null,
    createdAt: NOW - 9 * HOUR,
    updatedAt: NOW - HOUR,
    generation: 4,
    refreshAt: NOW + HOUR / 2,
    ...USED,
    ...changes,
  };
}

const ENDED = { ...UNTRIED, expiresIn: null, obtainedAt: null, expiresAt: null, refreshAt: null };

const UNREADABLE = new HubError('secret_unreadable', 'Cannot be decrypted', { status: 500 });

/** Every state that an account can be in; `new` is the row that a first fact makes. */
const STATES = {
  new: account({
    ...ENDED,
    status: 'needs_reauthorization',
    type: 'unknown',
    nickName: null,
    userName: null,
    principalName: null,
    verifyType: null,
    serviceType: null,
    accountStatus: null,
    registerType: null,
    funcInfo: null,
    refreshToken: null,
    firstAuthorizedAt: null,
    lastAuthorizedAt: null,
    eventTime: null,
    usedAt: null,
    updatedAt: 0,
    generation: 0,
  }),
  active: account(),
  'without rights': account({ ...ENDED, refreshToken: null }),
  unreadable: account({ refreshToken: new Secret(UNREADABLE) }),
  revoked: account({ ...ENDED, status: 'revoked', revokedAt: EVENT * 1000 }),
  void: account({ ...ENDED, status: 'needs_reauthorization' }),
  suspended: account({ ...ENDED, status: 'suspended' }),
};
type State = keyof typeof STATES;

function grant(
  changes: Partial<Omit<Grant, 'authorization'> & Grant['authorization']> = {},
): Grant {
  const { obtainedAt = NOW - SECOND, eventTime = EVENT + 60, early = 0, ...granting } = changes;
  return {
    authorization: {
      authorizerAppId: 'wxaccount',
      accessToken: new Secret('access'),
      expiresIn: 7200,
      refreshToken: new Secret('granted'),
      funcInfo: [1, 4],
      ...granting,
    },
    obtainedAt,
    eventTime,
    source: 'authorized',
    early,
  };
}

const NO_RIGHTS = { accessToken: undefined, expiresIn: undefined, refreshToken: undefined };

/** WeChat's information of the account that was asked for as it is. */
function info(asked: Account, changes: Partial<InfoAnswer> = {}): InfoAnswer {
  return {
    asked,
    columns: { nickName: 'Name', type: 'official_account', info: '{}' },
    suspension: undefined,
    authorization: { funcInfo: [], refreshToken: new Secret('own') },
    ...changes,
  };
}
const recorded = (token: string | undefined, funcInfo: number[] = []) => ({
  authorization: { funcInfo, refreshToken: token === undefined ? undefined : new Secret(token) },
});
const line = (token?: string) => ({
  refreshToken: token === undefined ? undefined : new Secret(token),
  asOf: NOW,
});

const FACTS: Record<string, (before: Account) => Transition | undefined> = {
  granted: (a) => granted(a, grant(), NOW),
  'granted, no rights': (a) => granted(a, grant(NO_RIGHTS), NOW),
  'event of an exchanged code': (a) =>
    confirmed(a, { eventTime: EVENT + 60, exchanged: true }, NOW),
  'event of a refused code': (a) => confirmed(a, { eventTime: EVENT + 60, exchanged: false }, NOW),
  'code refused': (a) => codeRefused(a, 61009, NOW),
  'code expired': (a) => codeRefused(a, 61010, NOW),
  withdrawn: (a) => withdrawn(a, EVENT + 60),
  'withdrawn, long ago': (a) => withdrawn(a, EVENT - 60),
  'no longer known to WeChat': (a) =>
    stopped(a, { generation: a.generation, status: 'revoked', what: 'found_withdrawn' }, NOW),
  'refresh token void': (a) =>
    stopped(
      a,
      { generation: a.generation, status: 'needs_reauthorization', what: 'refresh_token_void' },
      NOW,
    ),
  'informed, same token': (a) => informed(a, info(a), NOW),
  'informed, another token': (a) => informed(a, info(a, recorded('other')), NOW),
  'informed, no token': (a) => informed(a, info(a, recorded(undefined)), NOW),
  'informed, frozen': (a) => informed(a, info(a, { suspension: 19 }), NOW),
  'listed, same token': (a) => listed(a, line('own'), NOW),
  'listed, another token': (a) => listed(a, line('other'), NOW),
  'listed, no token': (a) => listed(a, line(), NOW),
  'moved in, same token': (a) => movedIn(a, brought('own'), NOW),
  'moved in, another token': (a) => movedIn(a, brought('other'), NOW),
};

/** An account as another system names it. */
function brought(refreshToken: string): MovedIn {
  const columns = { nickName: 'Name there' };
  return {
    refreshToken: new Secret(refreshToken),
    columns,
    authorizedAt: NOW - HOUR,
    source: 'csv',
  };
}

/** What every fact writes into every state. */
function patches() {
  return CASES.map(({ fact, state }) => ({
    fact,
    state,
    patch: FACTS[fact]?.(STATES[state])?.patch ?? {},
  }));
}

/** What a fact makes of a state: the status afterwards, and the lines of its history. */
function outcome(transition: Transition | undefined): string {
  if (!transition) return '-';
  const status = transition.patch?.status;
  const history = transition.history.map(({ what }) => what);
  const end = status === undefined ? 'stays' : `→ ${status}`;
  return [end, ...history].join(', ');
}

const REVOKED = '→ revoked, unauthorized';
const NO_EFFECT = 'stays, unauthorized';
const FOUND = '→ active, found_authorized';
const REPAIRED = '→ active, refresh_token_repaired';
const AUTHORIZED = '→ active, authorized';
const MOVED = '→ active, moved_in';
const REFUSED = 'stays, code_refused';
const EXPIRED = 'stays, code_expired';
const WITHDRAWN = '→ revoked, found_withdrawn';
const VOID = '→ needs_reauthorization, refresh_token_void';
const FROZEN = '→ suspended, suspended';

const STATE_NAMES: State[] = [
  'new',
  'active',
  'without rights',
  'unreadable',
  'revoked',
  'void',
  'suspended',
];
/** In the order of {@link STATE_NAMES}. */
// prettier-ignore
const OUTCOMES: Record<string, string[]> = {
  granted: [AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED],
  'granted, no rights': [AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED, AUTHORIZED],
  'event of an exchanged code': ['stays', 'stays', 'stays', 'stays', 'stays', 'stays', 'stays'],
  'event of a refused code': ['stays', 'stays', 'stays', 'stays', 'stays', 'stays', 'stays'],
  'code refused': [REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED],
  'code expired': [EXPIRED, EXPIRED, EXPIRED, EXPIRED, EXPIRED, EXPIRED, EXPIRED],
  withdrawn: [REVOKED, REVOKED, REVOKED, REVOKED, NO_EFFECT, REVOKED, REVOKED],
  'withdrawn, long ago': [REVOKED, NO_EFFECT, NO_EFFECT, NO_EFFECT, NO_EFFECT, NO_EFFECT, NO_EFFECT],
  'no longer known to WeChat': [WITHDRAWN, WITHDRAWN, WITHDRAWN, WITHDRAWN, '-', WITHDRAWN, WITHDRAWN],
  'refresh token void': ['-', VOID, VOID, VOID, VOID, '-', VOID],
  'informed, same token': [REPAIRED, 'stays', REPAIRED, REPAIRED, FOUND, 'stays', FOUND],
  'informed, another token': [REPAIRED, REPAIRED, REPAIRED, REPAIRED, REPAIRED, REPAIRED, REPAIRED],
  'informed, no token': [FOUND, 'stays', 'stays', 'stays', FOUND, 'stays', FOUND],
  'informed, frozen': [FROZEN, FROZEN, FROZEN, FROZEN, FROZEN, FROZEN, 'stays'],
  'listed, same token': [REPAIRED, '-', REPAIRED, REPAIRED, FOUND, '-', 'stays'],
  'listed, another token': [REPAIRED, REPAIRED, REPAIRED, REPAIRED, REPAIRED, REPAIRED, 'stays'],
  'listed, no token': [FOUND, '-', '-', '-', FOUND, '-', 'stays'],
  'moved in, same token': [MOVED, '-', MOVED, MOVED, '-', '-', '-'],
  'moved in, another token': [MOVED, '-', MOVED, MOVED, '-', MOVED, '-'],
};

const CASES = Object.entries(OUTCOMES).flatMap(([fact, outcomes]) =>
  STATE_NAMES.map((state, index) => ({ fact, state, expected: outcomes[index] })),
);

describe('what becomes of an account', () => {
  it('is in the table for every fact and every state', () => {
    expect(Object.keys(OUTCOMES)).toEqual(Object.keys(FACTS));
    expect(STATE_NAMES).toEqual(Object.keys(STATES));
  });

  it.each(CASES)('$fact, $state: $expected', ({ fact, state, expected }) => {
    expect(outcome(FACTS[fact]?.(STATES[state]))).toBe(expected);
  });

  it('begins a new generation with each status, in which nothing has failed yet', () => {
    for (const { fact, state, patch } of patches()) {
      const name = `${fact}, ${state}`;
      if (patch.status === undefined) {
        expect(patch, name).not.toHaveProperty('generation');
        expect(patch, name).not.toHaveProperty('leaseOwner');
      } else {
        const generation = STATES[state].generation + 1;
        expect(patch, name).toMatchObject({ ...UNTRIED, generation });
      }
    }
  });

  it('never blanks a refresh token, and ends the access token of what is not active', () => {
    for (const { fact, state, patch } of patches()) {
      const name = `${fact}, ${state}`;
      if ('refreshToken' in patch) expect(patch.refreshToken, name).toBeInstanceOf(Secret);
      if (patch.status !== undefined && patch.status !== 'active') {
        const nothingDue = { refreshAt: null, infoDueAt: null };
        expect(patch, name).toMatchObject({ ...NO_ACCESS_TOKEN, ...nothingDue });
      } else if (!fact.startsWith('granted')) {
        expect(patch, name).not.toHaveProperty('accessToken');
      }
    }
  });
});

describe('a grant', () => {
  it('replaces tokens and permission sets, and has the information fetched', () => {
    const { patch, history } = granted(STATES.active, grant({ early: 0.5 }), NOW);
    const obtainedAt = NOW - SECOND;
    expect(patch).toMatchObject({
      expiresIn: 7200,
      obtainedAt,
      expiresAt: obtainedAt + 7_200_000,
      // Half of the 110 minutes.
      refreshAt: obtainedAt + 3_300_000,
      funcInfo: '[1,4]',
      eventTime: EVENT + 60,
      infoDueAt: NOW,
      revokedAt: null,
      firstAuthorizedAt: NOW - 9 * HOUR,
      lastAuthorizedAt: NOW,
      usedAt: NOW - 8 * HOUR,
    });
    expect([patch?.accessToken?.reveal(), patch?.refreshToken?.reveal()]).toEqual([
      'access',
      'granted',
    ]);
    expect(history).toEqual([
      { what: 'authorized', detail: { source: 'authorized', funcInfo: [1, 4], tokens: true } },
    ]);
  });

  it('of a new account counts as its first use', () => {
    const { patch } = granted(STATES.new, grant(), NOW);
    expect(patch).toMatchObject({ firstAuthorizedAt: NOW, lastAuthorizedAt: NOW, usedAt: NOW });
  });

  it.each([
    ['all tokens', {}, 'own', { accessToken: true, refreshed: 'before its end' }],
    [
      'no refresh token',
      { refreshToken: undefined },
      'own',
      { accessToken: true, refreshed: 'before its end' },
    ],
    [
      'no refresh token',
      { refreshToken: undefined },
      null,
      { accessToken: true, refreshed: 'never' },
    ],
    ['no life', { expiresIn: undefined }, 'own', { accessToken: false, refreshed: 'now' }],
    [
      'no access token',
      { accessToken: undefined },
      'own',
      { accessToken: false, refreshed: 'now' },
    ],
    ['no tokens', NO_RIGHTS, 'own', { accessToken: false, refreshed: 'now' }],
    ['no tokens', NO_RIGHTS, null, { accessToken: false, refreshed: 'never' }],
  ] as const)('with %s (%j), to an account with refresh token %s', (_, given, own, expected) => {
    const before = account({ refreshToken: own === null ? null : new Secret(own) });
    const { patch } = granted(before, grant(given), NOW);
    const refreshed =
      patch?.refreshAt === null ? 'never' : patch?.refreshAt === NOW ? 'now' : 'before its end';
    expect({ accessToken: patch?.accessToken !== null, refreshed }).toEqual(expected);
  });

  it.each([
    ['that came before it', { updatedAt: NOW - 5 * SECOND }, { eventTime: EVENT + 60 }, true],
    ['that came while the code was exchanged', { updatedAt: NOW }, {}, false],
    ['that is newer than its event', { updatedAt: NOW - HOUR }, { eventTime: EVENT - 1 }, false],
    ['of the same second as its event', { updatedAt: NOW - HOUR }, { eventTime: EVENT }, true],
    ['whose event is yet to come', { updatedAt: NOW - HOUR }, { eventTime: null }, true],
  ])('after a withdrawal %s', (_, changes, facts, effective) => {
    const before = { ...STATES.revoked, ...changes };
    const { patch, history } = granted(before, grant(facts), NOW);
    if (effective) {
      expect(patch).toMatchObject({ status: 'active', revokedAt: null });
      expect(history[0]?.detail).not.toHaveProperty('effective');
    } else {
      expect(patch).toEqual({ infoDueAt: NOW });
      expect(history[0]?.detail).toMatchObject({ effective: false });
    }
  });

  it.each([
    [EVENT, EVENT + 1, EVENT + 1],
    [EVENT, EVENT - 1, EVENT],
    [EVENT, null, EVENT],
    [null, EVENT, EVENT],
    [null, null, null],
  ])('keeps the newer time of events: %s and %s make %s', (own, eventTime, expected) => {
    const { patch } = granted(account({ eventTime: own }), grant({ eventTime }), NOW);
    expect(patch?.eventTime).toBe(expected);
  });
});

describe('doubt about an account', () => {
  const late = { eventTime: EVENT, exchanged: false };

  it.each([
    ['nothing is due', null, NOW],
    ['it is due', NOW - SECOND, NOW - SECOND],
    ['it is due in a moment', NOW + 9 * SECOND, NOW + 9 * SECOND],
    ['it is under way', NOW + 60 * SECOND, NOW + 10 * SECOND],
    ['it is put off', NOW + HOUR, NOW + 10 * SECOND],
  ])('has the information fetched where %s', (_, infoDueAt, expected) => {
    const before = account({ infoDueAt });
    expect(codeRefused(before, 61009, NOW).patch?.infoDueAt).toBe(expected);
    expect(confirmed(before, late, NOW)?.patch?.infoDueAt).toBe(expected);
  });

  it.each([
    ['active', NOW],
    ['unreadable', NOW],
    ['without rights', undefined],
    ['revoked', undefined],
    ['void', undefined],
    ['suspended', undefined],
  ] as const)('has the token of an account that is %s refreshed: %s', (state, refreshAt) => {
    expect(codeRefused(STATES[state], 61009, NOW).patch?.refreshAt).toBe(refreshAt);
  });

  it('comes of no event whose code was exchanged, where the account is active', () => {
    const fact = { eventTime: EVENT + 60, exchanged: true };
    expect(confirmed(STATES.active, fact, NOW)?.patch).toEqual({ eventTime: EVENT + 60 });
    expect(confirmed(STATES.revoked, fact, NOW)?.patch).toMatchObject({ infoDueAt: NOW });
  });

  it('comes of no event that is older than the newest', () => {
    expect(confirmed(STATES.active, { ...late, eventTime: EVENT - 1 }, NOW)).toBeUndefined();
  });

  it.each([
    [61010, 'code_expired'],
    [61009, 'code_refused'],
    [undefined, 'code_refused'],
  ])('by errcode %s is %s in the history, with advice', (errcode, what) => {
    const { history } = codeRefused(STATES.new, errcode, NOW);
    expect(history).toEqual([
      { what, detail: { errcode, advice: expect.stringContaining('fresh code') } },
    ]);
  });
});

describe('a withdrawal', () => {
  it.each([
    ['newer than the last event', 'active', EVENT + 1, true],
    ['of the same second', 'active', EVENT, true],
    ['older than the last event', 'active', EVENT - 1, false],
    ['of an account that is not known', 'new', EVENT, true],
    ['that comes again', 'revoked', EVENT + 1, false],
  ] as const)('%s', (_, state, eventTime, effective) => {
    const { patch, history } = withdrawn(STATES[state], eventTime);
    expect(patch?.revokedAt).toBe(effective ? eventTime * 1000 : undefined);
    expect(history).toEqual([{ what: 'unauthorized', detail: { eventTime, effective } }]);
  });

  it('that comes again counts as the newest event, and keeps the time of the first', () => {
    expect(withdrawn(STATES.revoked, EVENT + 1).patch).toEqual({ eventTime: EVENT + 1 });
  });

  it('that is older than the last event changes no column', () => {
    expect(withdrawn(STATES.active, EVENT - 1).patch).toBeUndefined();
  });
});

describe('a stop', () => {
  const stop = { generation: 4, status: 'revoked', what: 'found_withdrawn' } as const;

  it('is dated by the hub, and keeps its details', () => {
    const detail = { errcode: 61023 };
    const { patch, history } = stopped(STATES.active, { ...stop, detail }, NOW) as Transition;
    expect(patch?.revokedAt).toBe(NOW);
    expect(history).toEqual([{ what: 'found_withdrawn', detail }]);
  });

  it('for a void refresh token is no withdrawal', () => {
    const fact = { ...stop, status: 'needs_reauthorization' } as const;
    expect(stopped(STATES.active, fact, NOW)?.patch).not.toHaveProperty('revokedAt');
  });

  it('that was found out of an earlier generation says nothing', () => {
    expect(stopped(account({ generation: 5 }), stop, NOW)).toBeUndefined();
  });
});

describe('the information', () => {
  it('keeps what is named, and says what has changed of what was known', () => {
    const columns = { nickName: 'New', verifyType: -1, type: 'mini_program', info: '{}' } as const;
    const before = account({ nickName: null });
    const { patch, history } = informed(before, info(before, { columns }), NOW);
    expect(patch).toEqual({ ...columns, infoDueAt: null });
    expect(history).toEqual([
      { what: 'info_changed', detail: { verifyType: { from: 0, to: -1 } } },
    ]);
  });

  it.each([
    ['names none', [], undefined, []],
    ['names others', [1, 4], '[1,4]', ['info_changed']],
  ])('that %s: permission sets', (_, funcInfo, expected, history) => {
    const answer = info(STATES.active, recorded('own', funcInfo));
    const { patch, history: lines } = informed(STATES.active, answer, NOW);
    expect(patch?.funcInfo).toBe(expected);
    expect(lines.map(({ what }) => what)).toEqual(history);
  });

  it('says nothing of an authorization that has changed since WeChat was asked', () => {
    const answer = info(account({ generation: 3 }), { ...recorded('other', [9]), suspension: 19 });
    const { patch, history } = informed(STATES.active, answer, NOW);
    expect(patch).toEqual({ ...answer.columns, infoDueAt: null });
    expect(history).toEqual([]);
  });

  it('that was asked for again meanwhile stays due', () => {
    const answer = info(account({ infoDueAt: NOW }));
    expect(informed(account({ infoDueAt: NOW + 1 }), answer, NOW).patch).not.toHaveProperty(
      'infoDueAt',
    );
  });

  it('of a frozen account names its state', () => {
    const { history } = informed(STATES.active, info(STATES.active, { suspension: 16 }), NOW);
    expect(history).toEqual([{ what: 'suspended', detail: { accountStatus: 16 } }]);
  });
});

describe('a line of the list', () => {
  it.each([
    ['the row was written since', { updatedAt: NOW + 1 }, false],
    ['a token was got since', { obtainedAt: NOW + 1 }, false],
    ['the row is older', { updatedAt: NOW, obtainedAt: NOW }, true],
  ])('counts unless %s', (_, changes, counts) => {
    expect(listed(account(changes), line('other'), NOW) !== undefined).toBe(counts);
  });

  it('repairs the refresh token, and has the access token refreshed', () => {
    const { patch, history } = listed(STATES.active, line('other'), NOW) as Transition;
    expect(patch?.refreshToken?.reveal()).toBe('other');
    expect(patch).toMatchObject({ refreshAt: NOW, lastAuthorizedAt: NOW - HOUR });
    expect(history[0]?.detail).toEqual({ before: 'active' });
  });

  it.each([
    ['new', 'own', NOW, NOW],
    // Without API rights there is nothing to refresh.
    ['new', undefined, null, NOW],
    ['revoked', undefined, NOW, undefined],
    ['suspended', 'other', undefined, NOW],
  ] as const)('of an account that is %s with token %s', (state, token, refreshAt, infoDueAt) => {
    const { patch } = listed(STATES[state], line(token), NOW) as Transition;
    expect([patch?.refreshAt, patch?.infoDueAt]).toEqual([refreshAt, infoDueAt]);
  });

  it.each([
    ['active', 'own', true],
    ['active', undefined, true],
    ['active', 'other', false],
    ['unreadable', 'own', false],
    ['without rights', undefined, true],
    ['revoked', 'own', false],
    ['suspended', 'own', false],
  ] as const)(
    'is what the row of one that is %s says, with token %s: %s',
    (state, token, known) => {
      const { refreshToken } = line(token);
      expect(isListedAsKnown(STATES[state], refreshToken)).toBe(known);
    },
  );
});

describe('an account that is moved in', () => {
  it('keeps when it authorized there, and has its information fetched', () => {
    const { patch, history } = movedIn(STATES.new, brought('other'), NOW) ?? {};
    expect(patch).toMatchObject({
      nickName: 'Name there',
      firstAuthorizedAt: NOW - HOUR,
      lastAuthorizedAt: NOW - HOUR,
      usedAt: NOW,
      refreshAt: NOW,
      infoDueAt: NOW,
    });
    expect(patch?.refreshToken?.reveal()).toBe('other');
    expect(history).toEqual([{ what: 'moved_in', detail: { source: 'csv' } }]);
  });

  it.each([
    ['new', 'own', 'add'],
    ['active', 'other', 'verified'],
    ['revoked', 'other', 'revoked'],
    ['void', 'own', 'needs_reauthorization'],
    ['void', 'other', 'add'],
    ['suspended', 'other', 'suspended'],
  ] as const)('%s with the token %s: %s', (state, token, step) => {
    expect(moveInStep(STATES[state], new Secret(token))).toBe(step);
  });

  it('is added where it is unknown, and verified while it has had no token', () => {
    const token = new Secret('own');
    expect(moveInStep(undefined, token)).toBe('add');
    expect(moveInStep(account({ ...ENDED }), token)).toBe('verify');
  });
});
