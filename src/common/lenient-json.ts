import { parse, type NumberParser } from 'lossless-json';

const BYTE_ORDER_MARK = '\uFEFF';
const FIRST_PRINTABLE = 0x20;

/**
 * Parses JSON as WeChat writes it: strings may hold control characters that a user typed and that
 * WeChat does not escape (co-wechat-api#63), a byte order mark may come first, and a name that
 * stands twice has the list of its values. Everything else is strict.
 * @param parseNumber the value of a number, from its digits; a JavaScript number by default.
 * @throws {SyntaxError} for text that is not JSON, {RangeError} for nesting beyond the stack.
 */
export function parseLenientJson(text: string, parseNumber: NumberParser = Number): unknown {
  const plain = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  return parse(escapeControls(plain), undefined, { parseNumber, onDuplicateKey });
}

function onDuplicateKey({ oldValue, newValue }: { oldValue: unknown; newValue: unknown }): unknown {
  return [oldValue, newValue].flat();
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
