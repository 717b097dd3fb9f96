import { describe, expect, it } from 'vitest';
import { invisibleProblem, trimInvisible, type Ends } from './invisible-characters.js';

/** What is left, or what is wrong with it. */
function read(text: string, ends: Ends): string {
  return invisibleProblem(text, ends) ?? `"${trimInvisible(text, ends)}"`;
}

/** Text as it comes, what is read where no end can be meant, and where one might be. */
const TABLE: [text: string, any: string, lines: string][] = [
  ['wx01', '"wx01"', '"wx01"'],
  ['wx01\n', '"wx01"', '"wx01"'],
  ['wx01\r\n\r\n', '"wx01"', '"wx01"'],
  ['\nwx01', '"wx01"', '"wx01"'],
  ['\ufeffwx01\n', '"wx01"', '"wx01"'],
  [' wx01', '"wx01"', 'character 1 is U+0020 (a space)'],
  ['wx01 ', '"wx01"', 'character 5 is U+0020 (a space)'],
  ['wx01 \n', '"wx01"', 'character 5 is U+0020 (a space)'],
  ['\twx01', '"wx01"', 'character 1 is U+0009 (a tab)'],
  ['wx01\u00a0', '"wx01"', 'character 5 is U+00A0 (a no-break space)'],
  ['wx01\u200b', '"wx01"', 'character 5 is U+200B (a zero width space)'],
  ['wx01\ufeff', '"wx01"', 'character 5 is U+FEFF (a byte order mark)'],
  ['wx01\u3000', '"wx01"', 'character 5 is U+3000 (an ideographic space)'],
  ['wx01\u202c', '"wx01"', 'character 5 is U+202C'],
  ['wx01\0', '"wx01"', 'character 5 is U+0000 (NUL)'],
  ['wx 01', '"wx 01"', '"wx 01"'],
  ...same('wx\n01', 'character 3 is U+000A (a line feed)'),
  ...same('wx\r\n01', 'character 3 is U+000D (a carriage return)'),
  ...same('wx\u00a001', 'character 3 is U+00A0 (a no-break space)'),
  ...same('wx\u200b01\u200b', 'character 3 is U+200B (a zero width space)'),
  ...same('\n😀\u200b01', 'character 3 is U+200B (a zero width space)'),
  ...same('wx\u00ad01', 'character 3 is U+00AD (a soft hyphen)'),
  ...same('wx\u202e01', 'character 3 is U+202E'),
  ...same('wx\u206001', 'character 3 is U+2060'),
  ...same('wx\ufe0f01', 'character 3 is U+FE0F'),
  ...same('wx\u316401', 'character 3 is U+3164'),
  ...same('wx\u280001', 'character 3 is U+2800'),
  ...same('wx\u{e0020}01', 'character 3 is U+E0020'),
  ...same('wx\ud80001', 'character 3 is U+D800'),
  ...same('wx01\ufffd', 'character 5 is U+FFFD (in place of bytes that are not UTF-8)'),
  ...same('wx\u202801', 'character 3 is U+2028 (a line separator)'),
  ...same('密码é😀', '"密码é😀"'),
  ...same('', '""'),
  ...same('\r\n', '""'),
];

function same(text: string, result: string): [string, string, string][] {
  return [[text, result, result]];
}

describe('invisible characters', () => {
  it.each(TABLE)('of %j are %s, and %s where a secret may have ends', (text, any, lines) => {
    expect(read(text, 'any')).toBe(any);
    expect(read(text, 'lines')).toBe(lines);
  });
});
