/**
 * What nobody sees on a screen: white space of every kind but the plain space, control and format
 * characters, what fonts leave out by definition, a blank Braille pattern, and the mark that stands
 * for bytes that are no UTF-8.
 */
const INVISIBLE = /[^\P{Z} ]|[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800\ufffd]/u;
const NAMES: Record<number, string> = {
  0x00: 'NUL',
  0x09: 'a tab',
  0x0a: 'a line feed',
  0x0d: 'a carriage return',
  0x20: 'a space',
  0xa0: 'a no-break space',
  0xad: 'a soft hyphen',
  0x200b: 'a zero width space',
  0x2028: 'a line separator',
  0x3000: 'an ideographic space',
  0xfeff: 'a byte order mark',
  0xfffd: 'in place of bytes that are not UTF-8',
};

/**
 * Which ends are cut off: `any` invisible character where none can be meant; only line ends, and
 * the byte order mark of an editor, where a space might be part of a secret.
 */
export type Ends = 'any' | 'lines';

/** Without the invisible characters at its ends that mean nothing. */
export function trimInvisible(text: string, ends: Ends): string {
  const characters = [...text];
  const { from, to } = meant(characters, ends);
  return characters.slice(from, to).join('');
}

/**
 * The first invisible character that {@link trimInvisible} leaves, by its place in the text as it
 * came, counted from 1; undefined where there is none. A plain space is one at the ends only.
 */
export function invisibleProblem(text: string, ends: Ends): string | undefined {
  const characters = [...text];
  const { from, to } = meant(characters, ends);
  for (let index = from; index < to; index += 1) {
    const character = characters[index] ?? '';
    const outermost = index === from || index === to - 1;
    if (INVISIBLE.test(character) || (character === ' ' && outermost)) {
      return `character ${index + 1} is ${nameOf(character)}`;
    }
  }
  return undefined;
}

/** Without any character that cannot be seen, or is a space: for names that have none. */
export function withoutInvisible(text: string): string {
  return [...text].filter((character) => !isInvisibleOrSpace(character)).join('');
}

/** The part that is left when the ends are cut off. */
function meant(characters: string[], ends: Ends): { from: number; to: number } {
  const isCut = ends === 'any' ? isInvisibleOrSpace : isLineEnd;
  let from = 0;
  let to = characters.length;
  while (from < to && (isCut(characters[from] ?? '') || isByteOrderMark(characters, from))) {
    from += 1;
  }
  while (to > from && isCut(characters[to - 1] ?? '')) to -= 1;
  return { from, to };
}

/** At the ends nothing stands for bytes that could not be read: they were something. */
function isInvisibleOrSpace(character: string): boolean {
  return character === ' ' || (character !== '\ufffd' && INVISIBLE.test(character));
}

function isLineEnd(character: string): boolean {
  return character === '\n' || character === '\r';
}

function isByteOrderMark(characters: string[], index: number): boolean {
  return index === 0 && characters[index] === '\ufeff';
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  return NAMES[code] ? `${hex} (${NAMES[code]})` : hex;
}
