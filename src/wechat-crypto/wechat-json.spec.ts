import { describe, expect, it } from 'vitest';
import { WechatCryptoError } from './wechat-crypto.error.js';
import { isJsonText, parseJsonEnvelope, readLooseJson } from './wechat-json.js';

function plain(text: string): unknown {
  return JSON.parse(JSON.stringify(readLooseJson(text).fields));
}

describe('readLooseJson', () => {
  it.each<[string, string, unknown]>([
    ['text as it is', '{"Content":" 你好 😀 \\n"}', { Content: ' 你好 😀 \n' }],
    ['digits beyond 2^53', '{"MsgId":24842939384893849123}', { MsgId: '24842939384893849123' }],
    ['numbers as they are written', '{"a":1.50,"b":-0,"c":1e3}', { a: '1.50', b: '-0', c: '1e3' }],
    ['truth and nothing', '{"a":true,"b":false,"c":null}', { a: 'true', b: 'false', c: '' }],
    ['fields within fields', '{"o":{"id":9007199254740993}}', { o: { id: '9007199254740993' } }],
    ['lists', '{"l":[1,"2",{"a":[]}]}', { l: ['1', '2', { a: [] }] }],
    ['names in their case', '{"AppId":"a","appid":"b"}', { AppId: 'a', appid: 'b' }],
    ['nothing', '{}', {}],
    ['what stands behind a byte order mark', '\uFEFF {"a":"b"}', { a: 'b' }],
  ])('keeps %s', (_, text, fields) => {
    expect(plain(text)).toEqual(fields);
  });

  it('has no prototype that a field could change or stand on', () => {
    const fields = readLooseJson('{"__proto__":{"polluted":"1"},"constructor":"2"}').fields;
    expect(Object.getPrototypeOf(fields)).toBeNull();
    expect(fields.constructor).toBe('2');
    expect(Object.keys(fields)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['a list', '[1]'],
    ['a text', '"a"'],
    ['an end that is missing', '{"a":"b"'],
    ['something behind it', '{"a":"b"}{}'],
    ['33 levels', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`],
    ['33 levels of lists', `{"a":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['more levels than a stack has', `{"a":${'['.repeat(100_000)}`],
  ])('says a problem with %s', (_, text) => {
    expect(readLooseJson(text).problem).toMatch(/^The JSON is /);
  });
});

describe('parseJsonEnvelope', () => {
  it('reads what WeChat sends', () => {
    const envelope = parseJsonEnvelope(' {"ToUserName":"gh_97417a04a28d","Encrypt":"o9Ag+/=="} ');
    expect({ ...envelope }).toEqual({ ToUserName: 'gh_97417a04a28d', Encrypt: 'o9Ag+/==' });
  });

  it.each<[string, string]>([
    ['fields within fields', '{"Encrypt":{"a":"b"}}'],
    ['lists', '{"Encrypt":["a"]}'],
    ['a million brackets', `{"Encrypt":${'['.repeat(1_000_000)}`],
    ['a million fields', `{${'"a":1,'.repeat(1_000_000)}"b":1}`],
    ['an end that is missing', '{"Encrypt":"a"'],
  ])('refuses %s', (_, text) => {
    expect(() => parseJsonEnvelope(text)).toThrow(WechatCryptoError);
  });
});

describe('isJsonText', () => {
  it.each([
    ['{"a":1}', true],
    ['\uFEFF \r\n{', true],
    ['<xml></xml>', false],
    ['[{}]', false],
    ['', false],
  ])('of %s is %s', (text, expected) => {
    expect(isJsonText(text)).toBe(expected);
  });
});
