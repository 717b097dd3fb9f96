import { describe, expect, it } from 'vitest';
import { exactNumber, parseLenientJson } from './lenient-json.js';

describe('lenient JSON', () => {
  it.each([
    ['plain JSON', '{"a":[1,true,null,"b"]}', { a: [1, true, null, 'b'] }],
    ['a line feed in a string', '{"a":"b\nc"}', { a: 'b\nc' }],
    [
      'every control character in a string',
      `{"a":"\u0000\u0001\u001f\t\r\b\f"}`,
      { a: '\u0000\u0001\u001f\t\r\b\f' },
    ],
    ['white space between values', '{\n\t"a" :\r\n1 }', { a: 1 }],
    [
      'an escaped quote before a control character',
      '{"a":"\\"\n\\\\","b":"\t"}',
      { a: '"\n\\', b: '\t' },
    ],
    ['a byte order mark', '\uFEFF{"a":1}', { a: 1 }],
    ['the last of two values of a name', '{"a":1,"a":{"b":2}}', { a: { b: 2 } }],
    ['a name that objects have', '{"constructor":1}', { constructor: 1 }],
  ])('reads %s', (_, text, value) => {
    expect(parseLenientJson(text)).toEqual(value);
  });

  it('gives the digits of a number to the caller', () => {
    expect(parseLenientJson('{"a":12345678901234567890}', String)).toEqual({
      a: '12345678901234567890',
    });
  });

  it.each([
    ['12345678901234567890', '12345678901234567890'],
    ['-9007199254740993', '-9007199254740993'],
    ['9007199254740991', 9007199254740991],
    ['7200', 7200],
    ['7200.0', 7200],
    ['7.2e3', 7200],
    ['0.1', 0.1],
  ])('has %s as %j where digits count', (digits, value) => {
    expect(parseLenientJson(digits, exactNumber)).toBe(value);
  });

  it.each(['', '{', '{"a":}', '{"a":1,}', '{"a":"b}', '\u0001{}', '{"a":"\\\n"}', '{"a":1} x'])(
    'refuses %j',
    (text) => {
      expect(() => parseLenientJson(text)).toThrow(SyntaxError);
    },
  );

  it('reads a megabyte of escaped quotes in linear time', () => {
    const started = performance.now();
    expect(() => parseLenientJson(`"${'\\"'.repeat(500_000)}`)).toThrow(SyntaxError);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
