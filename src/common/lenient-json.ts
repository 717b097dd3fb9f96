import {
  parse,
  type DuplicateKeyInfo,
  type NumberParser,
  type OnDuplicateKey,
} from 'lossless-json';

const BYTE_ORDER_MARK = '\uFEFF';
const FIRST_PRINTABLE = 0x20;

/**
 * Parses JSON as WeChat writes it: strings may hold control characters that a user typed and that
 * WeChat does not escape (co-wechat-api#63), and a byte order mark may come first. Everything else
 * is strict. Of a name that comes twice the last value counts, as for `JSON.parse`, unless
 * `onDuplicateKey` says otherwise. Its time grows with the length alone.
 * @param parseNumber the value of a number, from its digits; a JavaScript number by default.
 * @throws {SyntaxError} for text that is not JSON, {RangeError} for nesting beyond the stack.
 */
export function parseLenientJson(
  text: string,
  parseNumber: NumberParser = Number,
  onDuplicateKey: OnDuplicateKey = lastValue,
): unknown {
  const plain = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  return parse(escapeControls(plain), undefined, { parseNumber, onDuplicateKey });
}

/** Of two values of one name the later. */
function lastValue({ newValue }: DuplicateKeyInfo): unknown {
  return newValue;
}

/**
 * A number as JavaScript has it, and a whole number that JavaScript would round as its digits: ids
 * of 64 bits stay what they are. For {@link parseLenientJson}.
 */
export function exactNumber(digits: string): number | string {
  const value = Number(digits);
  return /^-?\d+$/.test(digits) && !Number.isSafeInteger(value) ? digits : value;
}

/** Writes each control character within a string as JSON wants it. */
function escapeControls(text: string): string {
  let escaped = '';
  let from = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') inString = !inString;
    else if (!inString) continue;
    else if (character === '\\') at += 1;
    else if (text.charCodeAt(at) < FIRST_PRINTABLE) {
      escaped += text.slice(from, at) + JSON.stringify(character).slice(1, -1);
      from = at + 1;
    }
  }
  return escaped + text.slice(from);
}
