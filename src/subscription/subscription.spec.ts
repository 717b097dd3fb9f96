import { describe, expect, it } from 'vitest';
import { Secret } from '../common/secret.js';
import {
  matches,
  orderKeyOf,
  recipientsOf,
  responderOf,
  type FilteredPush,
  type FormattedFilter,
  type Subscription,
} from './subscription.js';

const ALL: FormattedFilter = {
  componentAppId: null,
  authorizerAppId: null,
  kinds: null,
  types: null,
  format: 'json',
};
const MESSAGE: FilteredPush = {
  kind: 'message',
  componentAppId: 'wxplatform',
  authorizerAppId: 'wxaccount',
  infoType: '',
  msgType: 'text',
  event: null,
};
const EVENT: FilteredPush = { ...MESSAGE, kind: 'event', msgType: 'event', event: 'CLICK' };
const AUTHORIZATION: FilteredPush = {
  ...MESSAGE,
  kind: 'authorization',
  authorizerAppId: null,
  infoType: 'authorized',
  msgType: null,
};

function subscription(values: Partial<Subscription>): Subscription {
  return {
    ...ALL,
    id: 'any',
    name: 'any',
    url: 'https://service.example.com',
    mode: 'subscriber',
    ordered: false,
    lateReply: false,
    splitText: true,
    budgetMs: 4500,
    enabled: true,
    secret: new Secret('whsec_fake'),
    previousSecret: null,
    token: null,
    encodingAesKey: null,
    secretChangedAt: 0,
    failingSince: null,
    failedAt: null,
    failingMs: 0,
    disabledAt: null,
    disabledReason: null,
    createdAt: 1000,
    updatedAt: 1000,
    problem: undefined,
    ...values,
  };
}

function responder(id: string, values: Partial<Subscription> = {}): Subscription {
  return subscription({ id, mode: 'responder', ...values });
}

describe('a filter', () => {
  it.each<[string, Partial<FormattedFilter>, FilteredPush, boolean]>([
    ['without conditions means messages', {}, MESSAGE, true],
    ['without conditions means events', {}, EVENT, true],
    ['without conditions means authorization events', {}, AUTHORIZATION, true],
    ['of the platform', { componentAppId: 'wxplatform' }, MESSAGE, true],
    ['of another platform', { componentAppId: 'wxother' }, MESSAGE, false],
    ['of the account', { authorizerAppId: 'wxaccount' }, MESSAGE, true],
    ['of another account', { authorizerAppId: 'wxACCOUNT' }, MESSAGE, false],
    ['of an account, for what has none', { authorizerAppId: 'wxaccount' }, AUTHORIZATION, false],
    ['of the kind', { kinds: ['event', 'message'] }, MESSAGE, true],
    ['of another kind', { kinds: ['event'] }, MESSAGE, false],
    ['of the MsgType', { types: ['text'] }, MESSAGE, true],
    ['of the Event', { types: ['CLICK'] }, EVENT, true],
    ['of the Event in another case', { types: ['click'] }, EVENT, false],
    ['of the MsgType of all events', { types: ['event'] }, EVENT, true],
    ['of the InfoType', { types: ['authorized'] }, AUTHORIZATION, true],
    ['of another type', { types: ['image', 'voice'] }, MESSAGE, false],
    ['of an empty type', { types: [''] }, MESSAGE, false],
    [
      'of several conditions, one of which fails',
      { kinds: ['message'], types: ['image'] },
      MESSAGE,
      false,
    ],
  ])('%s', (_, filter, push, expected) => {
    expect(matches({ ...ALL, ...filter }, push)).toBe(expected);
  });

  it('means tickets in the format of WeChat only', () => {
    const ticket = { ...AUTHORIZATION, infoType: 'component_verify_ticket' };
    expect(matches({ ...ALL, format: 'wechat' }, ticket)).toBe(true);
    expect(matches({ ...ALL, format: 'wechat', kinds: ['message'] }, ticket)).toBe(false);
    expect(matches({ ...ALL, format: 'raw' }, ticket)).toBe(false);
    expect(matches(ALL, ticket)).toBe(false);
    expect(matches({ ...ALL, types: ['component_verify_ticket'] }, ticket)).toBe(false);
  });
});

describe('the responder of a message', () => {
  const anyone = responder('anyone', { createdAt: 1 });
  const platform = responder('platform', { createdAt: 2, componentAppId: 'wxplatform' });
  const account = responder('account', { createdAt: 3, authorizerAppId: 'wxaccount' });

  it.each<[string, Subscription[], string | undefined]>([
    ['is the one for the account, before all others', [anyone, platform, account], 'account'],
    ['is the one for the platform, before one for all', [anyone, platform], 'platform'],
    ['is the one for all, where there is no other', [anyone], 'anyone'],
    [
      'is the oldest of several',
      [responder('young', { createdAt: 9 }), responder('old', { createdAt: 5 })],
      'old',
    ],
    ['is not one that is disabled', [{ ...account, enabled: false }, anyone], 'anyone'],
    ['is not one that does not want it', [{ ...account, types: ['image'] }, anyone], 'anyone'],
    ['is no subscriber', [subscription({})], undefined],
  ])('%s', (_, subscriptions, expected) => {
    expect(responderOf(subscriptions, MESSAGE)?.id).toBe(expected);
  });

  it('is there for events too, and not for authorization events', () => {
    expect(responderOf([anyone], EVENT)?.id).toBe('anyone');
    expect(responderOf([anyone], AUTHORIZATION)).toBeUndefined();
  });

  it('is told with every subscriber, and no other responder is', () => {
    const one = subscription({ id: 'one' });
    const off = subscription({ id: 'off', enabled: false });
    const two = subscription({ id: 'two' });
    const told = recipientsOf([anyone, one, off, account, two], MESSAGE);
    expect(told.map(({ id }) => id)).toEqual(['one', 'account', 'two']);
    expect(recipientsOf([anyone, one], AUTHORIZATION).map(({ id }) => id)).toEqual(['one']);
  });
});

describe('the order key', () => {
  it('is one for each subscription and account, where order matters', () => {
    const ordered = subscription({ id: 's1', ordered: true });
    expect(orderKeyOf(subscription({}), MESSAGE)).toBeNull();
    const keys = [
      orderKeyOf(ordered, MESSAGE),
      orderKeyOf(ordered, { ...MESSAGE, authorizerAppId: 'wxother' }),
      orderKeyOf(ordered, { ...MESSAGE, componentAppId: 'wxother' }),
      orderKeyOf(ordered, AUTHORIZATION),
      orderKeyOf({ ...ordered, id: 's2' }, MESSAGE),
    ];
    expect(new Set(keys).size).toBe(5);
    expect(orderKeyOf(ordered, EVENT)).toBe(orderKeyOf(ordered, MESSAGE));
  });

  it('fits into its column', () => {
    const longest = 'x'.repeat(64);
    const push = { ...MESSAGE, componentAppId: longest, authorizerAppId: longest };
    expect(orderKeyOf({ id: 'u'.repeat(36), ordered: true }, push)?.length).toBeLessThan(191);
  });
});
