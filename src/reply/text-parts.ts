const GRAPHEMES = new Intl.Segmenter('und', { granularity: 'grapheme' });
/** How far behind the cut is looked whether a character goes on there; in code units. */
const LOOK_AHEAD = 64;

/**
 * As much of a text from its start as has `maxBytes` in UTF-8: it ends where a character of its
 * reader ends, be it of several code points (accents, flags, families). One that is longer than
 * `maxBytes` by itself is cut between two of them.
 */
export function fittingStart(text: string, maxBytes: number): string {
  // No character has less than one byte: what is behind does not count.
  const start = text.slice(0, maxBytes + 1);
  if (start.length === text.length && Buffer.byteLength(text) <= maxBytes) return text;
  const end = endOfCodePoints(start, maxBytes);
  const whole = GRAPHEMES.segment(text.slice(0, end + LOOK_AHEAD)).containing(end)?.index ?? end;
  return text.slice(0, whole === 0 ? end : whole);
}

/** All of a text in parts that {@link fittingStart} makes. */
export function textParts(text: string, maxBytes: number): string[] {
  const parts: string[] = [];
  for (let rest = text; rest !== ''; rest = rest.slice(parts.at(-1)?.length)) {
    parts.push(fittingStart(rest, maxBytes));
  }
  return parts;
}

/** Where the last code point ends that fits, in code units; behind the first one at least. */
function endOfCodePoints(text: string, maxBytes: number): number {
  let [end, bytes] = [0, 0];
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes && end > 0) break;
    end += character.length;
  }
  return end;
}
