import { describe, expect, it } from 'vitest';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import { authorizationDedupKey, messageDedupKey, type DedupSource } from './dedup-key.js';

const TEXT: XmlFields = {
  ToUserName: 'gh_0a1b2c3d4e5f',
  FromUserName: 'oUser',
  CreateTime: '1735690600',
  MsgType: 'text',
  Content: 'hello',
  MsgId: '24842939384893849',
};
const CLICK: XmlFields = {
  ToUserName: 'gh_0a1b2c3d4e5f',
  FromUserName: 'oUser',
  CreateTime: '1735690600',
  MsgType: 'event',
  Event: 'CLICK',
  EventKey: 'menu_1',
};
const BARE: XmlFields = { MsgType: 'event', Something: 'new' };

type MessageSource = Parameters<typeof messageDedupKey>[0];

function source(fields: XmlFields, changes: Partial<MessageSource> = {}): MessageSource {
  const ids = { componentAppId: 'wxcomponent', authorizerAppId: 'wxaccount' };
  return { ...ids, fields, text: JSON.stringify(fields), problem: null, ...changes };
}

const key = (fields: XmlFields, changes?: Partial<MessageSource>): string =>
  messageDedupKey(source(fields, changes));

describe('the key of a push', () => {
  it.each<[string, XmlFields, XmlFields, Partial<MessageSource>]>([
    ['a message that is pushed again', TEXT, TEXT, {}],
    ['a message whose text was laid out otherwise', TEXT, TEXT, { text: '<xml>\n</xml>' }],
    ['an event that is pushed again', CLICK, CLICK, {}],
    ['an event with its fields in another order', CLICK, reversed(CLICK), { text: 'other' }],
    ['a push that has nothing but its body', BARE, BARE, {}],
  ])('is the same for %s', (_, one, other, changes) => {
    expect(key(other, changes)).toBe(key(one));
  });

  it.each<[string, XmlFields, XmlFields, Partial<MessageSource>]>([
    ['the same MsgId at another account', TEXT, TEXT, { authorizerAppId: 'wxother' }],
    ['the same MsgId at another platform', TEXT, TEXT, { componentAppId: 'wxother' }],
    ['another MsgId', TEXT, { ...TEXT, MsgId: '24842939384893850' }, {}],
    [
      'a MsgId that is the same as a float',
      { ...TEXT, MsgId: '9007199254740992' },
      { ...TEXT, MsgId: '9007199254740993' },
      {},
    ],
    ['another user', TEXT, { ...TEXT, FromUserName: 'oOther' }, {}],
    ['another second', TEXT, { ...TEXT, CreateTime: '1735690601' }, {}],
    ['another event of the same second', CLICK, { ...CLICK, Event: 'VIEW' }, {}],
    ['another key of the same event', CLICK, { ...CLICK, EventKey: 'menu_2' }, {}],
    ['an event without a key', CLICK, without(CLICK, 'EventKey'), {}],
    [
      'two jobs that end in one second',
      { ...CLICK, Event: 'TEMPLATESENDJOBFINISH', MsgID: '200163836' },
      { ...CLICK, Event: 'TEMPLATESENDJOBFINISH', MsgID: '200163837' },
      {},
    ],
    [
      'two orders of one second',
      { ...CLICK, Event: 'channels_ec_order_new', order_info: { order_id: '3705115058471208928' } },
      { ...CLICK, Event: 'channels_ec_order_new', order_info: { order_id: '3705115058471208929' } },
      {},
    ],
    ['another body, where that is all', BARE, BARE, { text: 'other' }],
    ['an event against a message', CLICK, TEXT, {}],
  ])('is another for %s', (_, one, other, changes) => {
    expect(key(other, changes)).not.toBe(key(one));
  });

  it('never mixes the end of one part with the beginning of the next', () => {
    const keys = [
      key(TEXT, { componentAppId: 'wxab', authorizerAppId: 'c' }),
      key(TEXT, { componentAppId: 'wxa', authorizerAppId: 'bc' }),
      key({ ...CLICK, Event: 'CLICKm', EventKey: 'enu' }),
      key({ ...CLICK, Event: 'CLICK', EventKey: 'menu' }),
      key({ ...CLICK, Event: 'CLICK","menu', EventKey: '' }),
      key({ ...CLICK, FromUserName: 'oUser\n1735690600' }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it.each([
    ['no time', without(TEXT, 'CreateTime')],
    ['a time of words', { ...TEXT, CreateTime: 'now' }],
    ['a MsgId of fields', { ...TEXT, MsgId: { a: 'b' } }],
    ['no user', without(CLICK, 'FromUserName')],
    ['nothing', {}],
  ])('has its length with %s', (_, fields) => {
    expect(key(fields)).toMatch(/^\d{12}[\da-f]{52}$/);
  });
});

function without(fields: XmlFields, name: string): XmlFields {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name));
}

function reversed(fields: XmlFields): XmlFields {
  return Object.fromEntries(Object.entries(fields).toReversed());
}

describe('the key of an authorization event', () => {
  const EVENT = {
    InfoType: 'unauthorized',
    CreateTime: '1735690600',
    AuthorizerAppid: 'wxaccount',
  };
  const of = (fields: XmlFields, changes: Partial<DedupSource> = {}): string =>
    authorizationDedupKey(source(fields, changes));

  it('is the same for the same event, whatever the order of its fields', () => {
    expect(of(Object.fromEntries(Object.entries(EVENT).toReversed()))).toBe(of(EVENT));
  });

  it.each([
    ['time', { CreateTime: '1735690601' }],
    ['account', { AuthorizerAppid: 'wxother' }],
    ['type', { InfoType: 'authorized' }],
    ['code', { AuthorizationCode: 'fake-code' }],
  ])('differs with another %s', (_, changes) => {
    expect(of({ ...EVENT, ...changes })).not.toBe(of(EVENT));
  });

  it('differs with the text where that could not be read whole', () => {
    const cut = (text: string): string => of(EVENT, { text, problem: 'The XML is cut off' });
    expect(cut('a')).not.toBe(cut('b'));
  });
});
