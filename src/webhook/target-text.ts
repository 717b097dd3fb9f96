import { remark } from '../common/remarks.js';

/** Bytes of an answer cannot be read as text; the message says why, and nothing of what they hold. */
export class TargetTextError extends Error {}

/** How much of the beginning is looked at for an XML declaration, in bytes. */
const DECLARATION_BYTES = 256;
/** RFC 9110, section 8.3.1: a token, or one in quotes. */
const CHARSET = /;\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"',]+))/i;
const DECLARED = /^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]{1,40})["']/;
/** The 32 characters of windows-1252 that are not those of Latin-1; a blank is none. */
const WINDOWS_1252 = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';
/** What ICU, in its Microsoft code pages, makes of a byte that is no character: private use. */
const NO_CHARACTER = /[\uF8F0-\uF8F8]/;
const BYTE_ORDER_MARKS: [string, number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/**
 * The text of an answer: in the charset of its byte order mark, else of its Content-Type, else of
 * its XML declaration (in this order by RFC 7303, section 3.2), else in UTF-8. A byte that its
 * charset has not is no reason to guess: users would read replacement characters.
 * @throws {TargetTextError} for an unknown charset, and for bytes that are not of it.
 */
export function targetText(bytes: Buffer, contentType: string): string {
  const said = charsetOf(bytes, contentType);
  const decoder = decoderOf(said ?? widthOf(bytes) ?? 'utf-8');
  try {
    return checked(decoder.decode(bytes), decoder.encoding);
  } catch {
    throw new TargetTextError(
      said === undefined
        ? remark('answer_not_utf8')
        : remark('answer_not_charset', { charset: said }),
    );
  }
}

/** The same of the beginning of an answer, for people: what is no character is replaced. */
export function beginningText(bytes: Buffer, contentType: string): string {
  const said = charsetOf(bytes, contentType) ?? widthOf(bytes) ?? 'utf-8';
  // A character that is cut at the end is left out.
  const read = (charset: string): string =>
    new TextDecoder(charset).decode(bytes, { stream: true });
  try {
    return read(said);
  } catch {
    return read('utf-8');
  }
}

function charsetOf(bytes: Buffer, contentType: string): string | undefined {
  const marked = BYTE_ORDER_MARKS.find(([, mark]) => mark.every((byte, at) => bytes[at] === byte));
  if (marked) return marked[0];
  const [, ...forms] = CHARSET.exec(contentType) ?? [];
  const start = bytes.toString('latin1', 0, DECLARATION_BYTES);
  const declared = DECLARED.exec(start)?.[1];
  const said = forms.find(Boolean)?.trim().toLowerCase() ?? declared?.toLowerCase();
  // It does not say which of the two it is: the answer's first character does.
  return said === 'utf-16' ? (widthOf(bytes) ?? said) : said;
}

/** Whether text that begins with a character of ASCII, as XML and JSON do, has two bytes for each. */
function widthOf(bytes: Buffer): string | undefined {
  const [first, second] = bytes;
  if (bytes.length % 2 !== 0 || first === undefined) return undefined;
  if (first === 0 && second !== 0) return 'utf-16be';
  return first !== 0 && second === 0 ? 'utf-16le' : undefined;
}

function decoderOf(charset: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    throw new TargetTextError(remark('answer_charset_unknown'));
  }
}

/** Repairs what Node makes of old charsets, or throws where it should have thrown. */
function checked(text: string, encoding: string): string {
  if (encoding.startsWith('utf-')) return text;
  if (NO_CHARACTER.test(text)) throw new RangeError('A byte is no character');
  return encoding === 'windows-1252' ? withWindows1252(text) : text;
}

/** Node reads windows-1252 as Latin-1, which has controls where it has quotes and dashes. */
function withWindows1252(text: string): string {
  return text.replace(/[\u0080-\u009f]/g, (control) => {
    const character = WINDOWS_1252.charAt(control.charCodeAt(0) - 0x80);
    if (character === ' ') throw new RangeError('windows-1252 has no such character');
    return character;
  });
}
