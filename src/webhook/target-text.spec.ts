import { describe, expect, it } from 'vitest';
import { targetText, TargetTextError } from './target-text.js';

const NI = { gbk: [0xc4, 0xe3], big5: [0xa7, 0x41], be: [0x4f, 0x60], le: [0x60, 0x4f] };
const ascii = (text: string, ...bytes: number[]): number[] => [...Buffer.from(text), ...bytes];
const wide = (text: string, be: boolean): number[] =>
  [...text].flatMap((one) => (be ? [0, one.charCodeAt(0)] : [one.charCodeAt(0), 0]));

describe('the text of an answer', () => {
  it.each<[string, string, number[], string]>([
    ['nothing', '', [], ''],
    ['UTF-8 without a word', '', ascii('', ...Buffer.from('你😀')), '你😀'],
    ['UTF-8 with its mark', '', [0xef, 0xbb, 0xbf, 0x61], 'a'],
    ['GBK', 'text/xml;charset=GBK', NI.gbk, '你'],
    ['GBK in quotes', 'application/json; Charset = "gbk"', NI.gbk, '你'],
    ['GBK in the other quotes, and more', "text/xml; charset='GBK'; q=1", NI.gbk, '你'],
    ['GB2312', 'text/xml; charset=gb2312', NI.gbk, '你'],
    ['GB18030 beyond the BMP', 'text/xml; charset=GB18030', [0x94, 0x39, 0xda, 0x33], '💩'],
    ['Big5', 'text/xml; charset=big5', NI.big5, '你'],
    ['Shift_JIS', 'text/xml; charset=Shift_JIS', [0x82, 0xa0], 'あ'],
    ['Latin-1', 'text/xml; charset=iso-8859-1', [0xe9], 'é'],
    ['Latin-1 that is windows-1252', 'a/b; charset=latin1', [0x93, 0x80, 0x97, 0x9f], '“€—Ÿ'],
    ['a charset without a name', 'text/xml; charset=', ascii('a'), 'a'],
    ['UTF-16 with a mark', 'text/xml', [0xff, 0xfe, ...NI.le], '你'],
    ['UTF-16 with the other mark', 'a/b; charset=utf-16', [0xfe, 0xff, ...NI.be], '你'],
    ['UTF-16 by name, big', 'a/b; charset=utf-16', [...wide('<', true), ...NI.be], '<你'],
    ['UTF-16 by name, little', 'a/b; charset=UTF-16', [...wide('{', false), ...NI.le], '{你'],
    ['UTF-16BE by name', 'a/b; charset=utf-16be', NI.be, '你'],
    ['UTF-16 by its zeros', '', [...wide('{"', false), ...NI.le], '{"你'],
    [
      'what the declaration says',
      'text/xml',
      ascii('<?xml version="1.0" encoding="gbk"?>', ...NI.gbk),
      '<?xml version="1.0" encoding="gbk"?>你',
    ],
    [
      'what HTTP says before the declaration',
      'text/xml; charset=gbk',
      ascii("<?xml version='1.0' encoding='big5'?>", ...NI.gbk),
      "<?xml version='1.0' encoding='big5'?>你",
    ],
    [
      'what the mark says before HTTP',
      'text/xml; charset=gbk',
      [0xef, 0xbb, 0xbf, ...Buffer.from('你')],
      '你',
    ],
  ])('is %s', (_, contentType, bytes, expected) => {
    expect(targetText(Buffer.from(bytes), contentType)).toBe(expected);
  });

  it.each<[string, string, number[], RegExp]>([
    ['GBK without a word', '', ascii('<xml>', ...NI.gbk), /not UTF-8, and it names no charset/],
    ['GBK that says UTF-8', 'a/b; charset=utf-8', NI.gbk, /not utf-8, as it says/],
    ['half a character', 'a/b; charset=gbk', [0x61, 0xc4], /not gbk, as it says/],
    ['no GBK', 'a/b; charset=gbk', [0xff], /not gbk/],
    ['no Big5', 'a/b; charset=big5', [0xff], /not big5/],
    ['no Shift_JIS', 'a/b; charset=shift_jis', [0xfd], /not shift_jis/],
    ['no GB18030', 'a/b; charset=gb18030', [0x81, 0x30, 0x81], /not gb18030/],
    ['half a pair', 'a/b; charset=utf-16le', [0x3d, 0xd8], /not utf-16le/],
    ['an odd byte', 'a/b; charset=utf-16be', [0x4f, 0x60, 0x61], /not utf-16be/],
    ['a byte that windows-1252 has not', 'a/b; charset=latin1', [0x81], /not latin1/],
    ['a surrogate in UTF-8', '', [0xed, 0xa0, 0xbd], /not UTF-8/],
    ['packed bytes', 'text/xml', [0x1f, 0x8b, 8, 0, 0], /not UTF-8/],
    ['UTF-7', 'a/b; charset=utf-7', ascii('+T2A-'), /charset that is not known/],
    ['a name that is none', 'a/b; charset=\u0000', ascii('a'), /charset that is not known/],
    ['a declaration of nothing known', '', ascii('<?xml encoding="x-1"?>'), /is not known/],
  ])('is refused where it is %s', (_, contentType, bytes, why) => {
    const read = (): string => targetText(Buffer.from(bytes), contentType);
    expect(read).toThrow(TargetTextError);
    expect(read).toThrow(why);
  });
});
