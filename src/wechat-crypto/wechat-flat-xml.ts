import type { XmlFields, XmlValue } from './xml-fields.js';

/** Most fields, comments and instructions of one document; WeChat's have some ten fields. */
const MAX_PIECES = 200;
// Sticky: each is looked for where the reader stands, and nowhere else. Names have a longest length.
const START_TAG = /<([A-Za-z_][\w-]{0,63})[ \t\r\n]{0,8}(\/?)>/y;
const END_TAG = /<\/([A-Za-z_][\w-]{0,63})[ \t\r\n]{0,8}>/y;
const SPACE = /[ \t\r\n]*/y;
/** What the text between two marks must not hold: references, and what XML does not allow there. */
const NOT_PLAIN = /[&>]/;
const BYTE_ORDER_MARK = '\uFEFF';
const CDATA = '<![CDATA[';
const CDATA_END = ']]>';

/**
 * Reads the one form that nearly all of WeChat's documents have: fields of text or a single CDATA
 * section directly below the root; a declaration before it and comments between fields may stand.
 * Undefined for anything else, well-formed or not: attributes, references, fields within fields.
 * Every character is looked at a fixed number of times, so it may be given what nobody has verified.
 */
export function parseFlatXml(xml: string): XmlFields | undefined {
  return xml.includes('\0') ? undefined : new FlatXmlReader(xml).document();
}

/** Goes through a document once; a method that does not find what it reads gives undefined or false. */
class FlatXmlReader {
  private at: number;
  private pieces = 0;

  constructor(private readonly xml: string) {
    this.at = xml.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  }

  document(): XmlFields | undefined {
    if (!this.skipDeclaration()) return undefined;
    this.skipComments();
    const root = this.match(START_TAG);
    if (!root) return undefined;
    const fields = root[2] === '/' ? noFields() : this.fields();
    if (!fields) return undefined;
    if (root[2] !== '/' && this.match(END_TAG)?.[1] !== root[1]) return undefined;
    this.match(SPACE);
    return this.at === this.xml.length ? fields : undefined;
  }

  private fields(): XmlFields | undefined {
    const fields = noFields();
    while (this.skipText() && this.pieces < MAX_PIECES) {
      const start = this.match(START_TAG);
      const name = start?.[1];
      if (name === undefined) return fields;
      this.pieces += 1;
      const text = start?.[2] === '/' ? '' : this.fieldText(name);
      if (text === undefined) return undefined;
      add(fields, name, text);
    }
    return undefined;
  }

  /** From behind a start tag to behind its end tag. */
  private fieldText(name: string): string | undefined {
    const isCdata = this.xml.startsWith(CDATA, this.at);
    const from = isCdata ? this.at + CDATA.length : this.at;
    const to = this.xml.indexOf(isCdata ? CDATA_END : '<', from);
    if (to === -1) return undefined;
    this.at = isCdata ? to + CDATA_END.length : to;
    const text = this.xml.slice(from, to);
    if (!isCdata && NOT_PLAIN.test(text)) return undefined;
    return this.match(END_TAG)?.[1] === name ? text : undefined;
  }

  /** Text and comments between fields, which say nothing. */
  private skipText(): boolean {
    do {
      const from = this.at;
      this.at = this.xml.indexOf('<', from);
      if (this.at === -1 || NOT_PLAIN.test(this.xml.slice(from, this.at))) return false;
    } while (this.skipComment());
    return true;
  }

  /** White space and comments before the root. */
  private skipComments(): void {
    do this.match(SPACE);
    while (this.skipComment());
  }

  private skipDeclaration(): boolean {
    this.match(SPACE);
    return !this.xml.startsWith('<?', this.at) || this.skip('<?xml ', '?', '?>');
  }

  private skipComment(): boolean {
    return this.skip('<!--', '--', '-->');
  }

  /** Goes behind what starts with `open` and ends with `end`; `mark` stands within it only there. */
  private skip(open: string, mark: string, end: string): boolean {
    if (this.pieces >= MAX_PIECES || !this.xml.startsWith(open, this.at)) return false;
    const found = this.xml.indexOf(mark, this.at + open.length);
    if (found === -1 || !this.xml.startsWith(end, found)) return false;
    this.pieces += 1;
    this.at = found + end.length;
    return true;
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.xml) ?? undefined;
    if (found) this.at = pattern.lastIndex;
    return found;
  }
}

function noFields(): XmlFields {
  return Object.create(null) as XmlFields;
}

function add(fields: XmlFields, name: string, text: string): void {
  const known: XmlValue | undefined = fields[name];
  if (known === undefined) fields[name] = text;
  else if (Array.isArray(known)) known.push(text);
  else fields[name] = [known, text];
}
