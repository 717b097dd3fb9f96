import { describe, expect, it } from 'vitest';
import { fittingStart, textParts } from './text-parts.js';

const FAMILY = '👨‍👩‍👧'; // 18 bytes
const FLAG = '🇨🇳'; // 8 bytes
const ACCENT = 'e\u0301'; // 3 bytes

describe('the start of a text that fits', () => {
  it.each<[string, string, number, string]>([
    ['all of a short one', 'abc', 3, 'abc'],
    ['nothing of nothing', '', 3, ''],
    ['ASCII', 'abcd', 3, 'abc'],
    ['Chinese', '内内内', 8, '内内'],
    ['no half of a pair', '😀😀', 7, '😀'],
    ['no half of a family', `a${FAMILY}b`, 18, 'a'],
    ['a whole family', `a${FAMILY}b`, 19, `a${FAMILY}`],
    ['no half of a flag', `a${FLAG}`, 8, 'a'],
    ['no letter without its accent', `a${ACCENT}`, 2, 'a'],
    ['no letter whose accent is just behind', `ab${ACCENT}`, 3, 'ab'],
    ['no half of a line end', 'ab\r\nc', 3, 'ab'],
    ['a skin with its colour', 'a👍🏽', 8, 'a'],
    ['code points of a character that is too long itself', 'a\u0301\u0301\u0301', 4, 'a\u0301'],
    ['one code point at least', '😀', 2, '😀'],
  ])('is %s', (_, text, maxBytes, expected) => {
    expect(fittingStart(text, maxBytes)).toBe(expected);
  });
});

describe('the parts of a text', () => {
  it.each<[string, string]>([
    ['a text that fits', '内'.repeat(682)],
    ['a byte too many', '内'.repeat(682) + 'ab'],
    ['emoji', (FAMILY + FLAG + ACCENT + '内').repeat(500)],
    ['one letter with 5 000 accents', `a${'\u0301'.repeat(5000)}`],
    ['256 KiB', 'x'.repeat(256 * 1024)],
  ])('are all of it, and each fits: %s', (_, text) => {
    const parts = textParts(text, 2047);
    expect(parts.join('')).toBe(text);
    for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThanOrEqual(2047);
    expect(parts.length).toBeLessThanOrEqual(Math.ceil(Buffer.byteLength(text) / (2047 - 32)));
  });
});
