import { Parser } from 'xml2js';
import { WechatCryptoErrcode, WechatCryptoError } from './wechat-crypto.error.js';
import { parseFlatXml } from './wechat-flat-xml.js';
import type { XmlFields, XmlValue } from './xml-fields.js';

/** Deepest nesting of elements that is accepted; WeChat's pushes have four levels at the most. */
const MAX_DEPTH = 32;
/** Most tags, CDATA sections, comments and references of one document that are accepted. */
const MAX_MARKUP = 10_000;

/**
 * Parses the fields of a WeChat XML document below its root. Text is kept as it is, names keep
 * their case (`AppId` and `appid` are two fields), unknown fields stay.
 * @throws {WechatCryptoError} -40002 for anything that is not plain, bounded XML.
 */
export function parseWechatXml(xml: string): XmlFields {
  const flat = parseFlatXml(xml);
  if (flat) return flat;
  refuseDangerousXml(xml);
  const root = parse(xml);
  if (root === null || typeof root !== 'object') return Object.create(null) as XmlFields;
  return toFields(root as ParsedElement);
}

/**
 * Parses the outer document of a push, which nobody has verified yet: WeChat's are flat, and only
 * that form is read. Its time grows with the length alone, whatever stands in it; the full parser
 * takes up to a hundred times as long.
 * @throws {WechatCryptoError} -40002 for anything else.
 */
export function parseWechatEnvelope(xml: string): XmlFields {
  const fields = parseFlatXml(xml);
  if (!fields) throw xmlError('is not the envelope of a push');
  return fields;
}

/** One element as xml2js gives it: every child in a list, text under its own key. */
type ParsedElement = Record<string, (string | ParsedElement)[] | string>;

/**
 * Put before every name while xml2js has it: it keeps flags and text under names of its own
 * (`_`, `cdata`) and asks plain objects, which have a `constructor`, whether a name is taken.
 */
const NAME_MARK = ':';

function parse(xml: string): unknown {
  let outcome: { error: Error | null; document?: Record<string, unknown> } | undefined;
  // One parser per document: xml2js keeps state in it. With async off the callback runs at once.
  const parser = new Parser({
    explicitArray: true,
    ignoreAttrs: true,
    trim: false,
    async: false,
    tagNameProcessors: [(name) => NAME_MARK + name],
  });
  parser.parseString(xml, (error: Error | null, document: Record<string, unknown>) => {
    outcome ??= { error, document };
  });
  if (!outcome || outcome.error || !outcome.document) throw malformed(outcome?.error);
  return Object.values(outcome.document)[0];
}

/** Bounded by its own measure too: what the scan below overlooks must not exhaust the stack. */
function toFields(element: ParsedElement, depth = 1): XmlFields {
  if (depth > MAX_DEPTH) throw tooLarge();
  const fields = Object.create(null) as XmlFields;
  for (const [name, children] of Object.entries(element)) {
    if (typeof children === 'string') continue; // white space between elements
    const values = children.map((child) =>
      typeof child === 'string' ? child : toFields(child, depth + 1),
    );
    fields[name.slice(NAME_MARK.length)] = values.length === 1 ? (values[0] as XmlValue) : values;
  }
  return fields;
}

/**
 * Looks through the markup, outside of CDATA, before a parser sees it: no DOCTYPE, no entities but
 * XML's own five, no NUL, bounded depth and amount of markup, nothing behind the root.
 */
function refuseDangerousXml(xml: string): void {
  if (xml.includes('\0')) throw xmlError('contains NUL');
  let depth = 0;
  let markup = 0;
  let end = 0;
  for (let at = xml.indexOf('<'); at !== -1; at = xml.indexOf('<', end)) {
    const text = xml.slice(end, at);
    markup += text.split('&').length;
    if (markup > MAX_MARKUP) throw tooLarge();
    if (OTHER_ENTITY.test(text)) throw xmlError('has an entity that XML has not');
    // XML does not allow it in text: what is meant is CDATA with its own end in it.
    if (text.includes(']]>')) throw malformed();
    if (xml.startsWith('<![CDATA[', at)) end = endOf(xml, ']]>', at + 9);
    else if (xml.startsWith('<!--', at)) end = endOf(xml, '-->', at + 4);
    else if (xml.startsWith('<?', at)) end = endOf(xml, '?>', at + 2);
    else if (xml.startsWith('<!', at)) throw xmlError('declares a document type or entities');
    else {
      end = endOfTag(xml, at);
      if (xml[at + 1] === '/') depth -= 1;
      else if (xml[end - 2] !== '/') depth += 1;
      if (depth > MAX_DEPTH) throw tooLarge();
      if (depth === 0) break;
    }
  }
  if (xml.slice(end).trim() !== '') throw malformed();
}

/** A reference to anything but a character and the entities that XML itself has. */
const OTHER_ENTITY = /&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[\da-f]+);)/i;

/** Position behind a tag: within an attribute's quotes `>` does not end it; `<` stands nowhere. */
function endOfTag(xml: string, at: number): number {
  const special = /[<>"']/g;
  special.lastIndex = at + 1;
  let quote = '';
  for (let found = special.exec(xml); found; found = special.exec(xml)) {
    const [character] = found;
    if (character === '<') break;
    if (character === quote) quote = '';
    else if (quote === '' && character === '>') return special.lastIndex;
    else if (quote === '') quote = character;
  }
  throw malformed();
}

function endOf(xml: string, mark: string, from: number): number {
  const found = xml.indexOf(mark, from);
  if (found === -1) throw malformed();
  return found + mark.length;
}

function malformed(cause?: unknown): WechatCryptoError {
  return xmlError('is not well-formed', cause);
}

function tooLarge(): WechatCryptoError {
  return xmlError('is too deep or too large');
}

function xmlError(what: string, cause?: unknown): WechatCryptoError {
  return new WechatCryptoError(WechatCryptoErrcode.xmlParseFailed, `The XML ${what}`, cause);
}

/** A text as CDATA, whatever it contains. */
export function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

const FIELD_NAME = /^[A-Za-z_][\w.-]*$/;
/** What an XML document cannot hold, NUL among it: WeChat could not read it. */
export const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Fields as WeChat writes them: text in CDATA, numbers bare. @throws {Error} for what XML has not. */
export function fieldsXml(fields: object): string {
  return `<xml>${elements(fields)}</xml>`;
}

function elements(fields: object): string {
  return Object.entries(fields)
    .flatMap(([name, value]: [string, XmlValue | number | undefined]) =>
      (Array.isArray(value) ? value : [value]).map((one) => elementXml(name, one)),
    )
    .join('');
}

function elementXml(name: string, value: XmlValue | number | undefined): string {
  if (value === undefined) return '';
  if (!FIELD_NAME.test(name)) throw new Error('a field has a name that is none');
  if (typeof value === 'object') return `<${name}>${elements(value)}</${name}>`;
  if (typeof value === 'number') return `<${name}>${value}</${name}>`;
  if (NOT_XML.test(value)) throw new Error('a field holds a character that XML does not allow');
  return `<${name}>${cdata(value)}</${name}>`;
}
