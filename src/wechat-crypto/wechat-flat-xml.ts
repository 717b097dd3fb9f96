import type { XmlFields, XmlValue } from './xml-fields.js';

/** More fields than this are left to the full parser and its limits. */
const MAX_FIELDS = 200;
const ROOT = /^[ \t\r\n]*<([A-Za-z_][\w-]*)>/;
const SPACE_AND_START_TAG = /[ \t\r\n]*<([A-Za-z_][\w-]*)>/y;
const END = /[ \t\r\n]*<\/([A-Za-z_][\w-]*)>[ \t\r\n]*$/y;
const CDATA = '<![CDATA[';
const CDATA_END = ']]>';

/**
 * Reads the one form that nearly all of WeChat's documents have: fields of text or a single CDATA
 * section directly below the root. Undefined for anything else, well-formed or not: the full
 * parser decides. It costs a tenth of that, and the callback parses two documents a push.
 */
export function parseFlatXml(xml: string): XmlFields | undefined {
  const root = ROOT.exec(xml);
  if (!root || xml.includes('\0')) return undefined;
  const fields = Object.create(null) as XmlFields;
  let at = root[0].length;
  for (let count = 0; count <= MAX_FIELDS; count += 1) {
    SPACE_AND_START_TAG.lastIndex = at;
    const name = SPACE_AND_START_TAG.exec(xml)?.[1];
    if (name === undefined) return endsWith(xml, at, root[1]) ? fields : undefined;
    const field = readField(xml, SPACE_AND_START_TAG.lastIndex, name);
    if (!field) return undefined;
    add(fields, name, field.text);
    at = field.end;
  }
  return undefined;
}

function endsWith(xml: string, at: number, root: string | undefined): boolean {
  END.lastIndex = at;
  return END.exec(xml)?.[1] === root;
}

/** The text from `start` and the position behind the field's end tag. */
function readField(
  xml: string,
  start: number,
  name: string,
): { text: string; end: number } | undefined {
  const isCdata = xml.startsWith(CDATA, start);
  const from = isCdata ? start + CDATA.length : start;
  const to = xml.indexOf(isCdata ? CDATA_END : '<', from);
  if (to === -1) return undefined;
  const tag = isCdata ? to + CDATA_END.length : to;
  const endTag = `</${name}>`;
  if (!xml.startsWith(endTag, tag)) return undefined;
  const text = xml.slice(from, to);
  const end = tag + endTag.length;
  return isCdata || !/[&>]/.test(text) ? { text, end } : undefined;
}

function add(fields: XmlFields, name: string, text: string): void {
  const known: XmlValue | undefined = fields[name];
  if (known === undefined) fields[name] = text;
  else if (Array.isArray(known)) known.push(text);
  else fields[name] = [known, text];
}
