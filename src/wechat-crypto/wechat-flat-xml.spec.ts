import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFlatXml } from './wechat-flat-xml.js';
import { parseWechatXml } from './wechat-xml.js';

const VECTORS = join(import.meta.dirname, '../../test/vectors/wechat-crypto.json');

/** The same document for the full parser only: the short way has no attributes. */
function withAttribute(xml: string): string {
  return xml.replace(/(<[a-z]\w*)/i, '$1 a=""');
}

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const PIECES = [
  '<a>',
  '</a>',
  '<b>',
  '</b>',
  '<xml>',
  '</xml>',
  '<A>x</A>',
  '<a/>',
  '<a b="c">',
  ' ',
  '\n',
  'text',
  '你好',
  '<![CDATA[',
  ']]>',
  ']]',
  '<![CDATA[x]]>',
  '<![CDATA[ ]]>',
  '&amp;',
  '&',
  '>',
  '<',
  '<!-- -->',
  '<!-- - -->',
  '<!-- -- -->',
  '<!---->',
  '<a\n>x</a >',
  '<!--',
  '-->',
  '<?x?>',
  '<__proto__>1</__proto__>',
  '<constructor>1</constructor>',
  '0',
  '\u3000',
  '\uFEFF',
  "'",
  '"',
];

const PROLOGUES = [
  '\uFEFF',
  '<?xml version="1.0" encoding="UTF-8"?>\n',
  '\uFEFF<?xml version="1.0"?>',
  ' \n',
  '<!-- -->',
  '<!-- -- -->',
  '<?x?>',
  'x',
  '<?xml?>',
  '<?xml ',
];
const EPILOGUES = ['\n', '<!-- a -->\n', '<!--', 'x', '\uFEFF', '</xml>', '<a/>', '<?x?>'];

describe('parseFlatXml', () => {
  it('reads the published pushes as the full parser does', () => {
    const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as {
      vectors: { plaintext: string }[];
    };
    const flat = vectors.map(({ plaintext }) => plaintext).filter((xml) => parseFlatXml(xml));
    expect(flat.length).toBeGreaterThan(15);
    for (const xml of flat) expect(parseFlatXml(xml)).toEqual(parseWechatXml(withAttribute(xml)));
  });

  it('reads whatever it reads as the full parser does', () => {
    const next = random(20_250_101);
    let read = 0;
    for (let round = 0; round < 40_000; round += 1) {
      const length = Math.floor(next() * 7);
      const pieces = Array.from({ length }, () => PIECES[Math.floor(next() * PIECES.length)]);
      const [before, behind] = [PROLOGUES, EPILOGUES].map(
        (list) => list[Math.floor(next() * 3 * list.length)] ?? '',
      );
      const xml = `${before}<xml>${pieces.join('')}</xml>${behind}`;
      const fields = parseFlatXml(xml);
      if (!fields) continue;
      read += 1;
      expect(fields, xml).toEqual(parseWechatXml(withAttribute(xml)));
    }
    expect(read).toBeGreaterThan(1000);
  });

  it.each([
    ['fields within a field', '<xml><a><b>1</b></a></xml>'],
    ['two sections of CDATA', '<xml><a><![CDATA[x]]>y<![CDATA[z]]></a></xml>'],
    ['an attribute', '<xml><a b="c">1</a></xml>'],
    ['an entity', '<xml><a>&amp;</a></xml>'],
    ['something behind the root', '<xml><a>1</a></xml><xml/>'],
    ['a root that does not end', '<xml><a>1</a>'],
    ['another end', '<xml><a>1</a></lmx>'],
    ['201 fields', `<xml>${'<a>1</a>'.repeat(201)}</xml>`],
    ['201 comments', `<xml>${'<!-- -->'.repeat(201)}</xml>`],
    ['a name of 65 characters', `<xml><${'a'.repeat(65)}/></xml>`],
  ])('leaves %s to the full parser', (_, xml) => {
    expect(parseFlatXml(xml)).toBeUndefined();
  });
});
