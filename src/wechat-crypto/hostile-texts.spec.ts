import { describe, expect, it } from 'vitest';
import { readLooseXml } from './loose-xml.js';
import { readPushText } from './push-text.js';
import { parseJsonEnvelope } from './wechat-json.js';
import { parseWechatEnvelope } from './wechat-xml.js';

const LENGTH = 128 * 1024;
/** Plain JSON of this length takes 20 ms; what is read again for each of its pieces, half a minute. */
const LIMIT_MS = 1500;

const CONTENT = '<xml><Content><![CDATA[hi';
/** What comes before the pieces that fill a text, and behind them. */
const PLACES: [before: string, behind: string][] = [
  ['', ''],
  ['<xml>', ''],
  ['<xml>', '</xml>'],
  [CONTENT, ''],
  [CONTENT, ']]></Content></xml>'],
  // A user's words have closed the section, and its field.
  [`${CONTENT}]]></Content>`, ''],
  [`${CONTENT}]]></Content><a`, ''],
  [`${CONTENT}]]></Content><a`, ']]></Content></xml>'],
  ['<xml><a> <![CDATA[x]]> </a><b>', '</b></xml>'],
  ['{"a":"x",', ''],
  ['{"a":"', ''],
  ['{"a":"', '"}'],
  ['{"a":', '}'],
];
const XML_PIECES = [' ', '<', '>', '<a', '<a ', '<a>', '<a/>', '<a b="', '</', '</a', '</Content>'];
const MARKUP_PIECES = ['<![CDATA[', ']]>', ']]></', '<!--', '-->', '<!-- -->', '<?', '<!DOCTYPE '];
const OTHER_PIECES = [
  '&',
  '&amp;',
  '&#1;',
  '"',
  "'",
  '[',
  '{',
  '[1,',
  '{"a":',
  '"a":1,',
  '"a":',
  '\\',
];
const PIECES = [...XML_PIECES, ...MARKUP_PIECES, ...OTHER_PIECES, '\t', '\0', '-'];

const READERS: [name: string, read: (text: string) => unknown][] = [
  ['as the text of a push', readPushText],
  ['as loose XML', readLooseXml],
  ['as an envelope in XML', parseWechatEnvelope],
  ['as an envelope in JSON', parseJsonEnvelope],
];

function filled(before: string, piece: string, behind: string): string {
  const count = Math.floor((LENGTH - before.length - behind.length) / piece.length);
  return before + piece.repeat(count) + behind;
}

/** How long a text takes that may be refused. */
function timeOf(read: (text: string) => unknown, text: string): number {
  const started = performance.now();
  try {
    read(text);
  } catch {
    // Also a refusal has its time.
  }
  return performance.now() - started;
}

describe.each(READERS)('a text of 128 KiB read %s', (_name, read) => {
  it.each(PIECES)(
    'takes no longer for being full of %j',
    (piece) => {
      for (const [before, behind] of PLACES) {
        const ms = timeOf(read, filled(before, piece, behind));
        expect(ms, `${before}…${behind}`).toBeLessThan(LIMIT_MS);
      }
    },
    60_000,
  );
});
