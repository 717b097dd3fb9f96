import { Parser } from 'xml2js';
import { WechatCryptoErrcode, WechatCryptoError } from './wechat-crypto.error.js';

/** Deepest nesting of elements that is accepted; WeChat's pushes have four levels at the most. */
const MAX_DEPTH = 32;
/** Most elements of one document that are accepted. */
const MAX_ELEMENTS = 5000;

/** A field: text, fields within it, or, where a name stands several times, the list of them. */
export type XmlValue = string | XmlFields | XmlValue[];
/** Fields of an element by their exact names; has no prototype. */
export interface XmlFields {
  [name: string]: XmlValue;
}

/**
 * Parses the fields of a WeChat XML document below its root. Text is kept as it is, names keep
 * their case (`AppId` and `appid` are two fields), unknown fields stay.
 * @throws {WechatCryptoError} -40002 for anything that is not plain, bounded XML.
 */
export function parseWechatXml(xml: string): XmlFields {
  refuseDangerousXml(xml);
  const root = parse(xml);
  if (root === null || typeof root !== 'object') return Object.create(null) as XmlFields;
  return toFields(root as ParsedElement);
}

/** One element as xml2js gives it: every child in a list, mixed text under `_`. */
type ParsedElement = Record<string, (string | ParsedElement)[] | string>;

function parse(xml: string): unknown {
  let outcome: { error: Error | null; document?: Record<string, unknown> } | undefined;
  // One parser per document: xml2js keeps state in it. With async off the callback runs at once.
  const parser = new Parser({ explicitArray: true, ignoreAttrs: true, trim: false, async: false });
  parser.parseString(xml, (error: Error | null, document: Record<string, unknown>) => {
    outcome ??= { error, document };
  });
  if (!outcome || outcome.error || !outcome.document) {
    throw xmlError('is not well-formed', outcome?.error);
  }
  return Object.values(outcome.document)[0];
}

function toFields(element: ParsedElement): XmlFields {
  const fields = Object.create(null) as XmlFields;
  for (const [name, children] of Object.entries(element)) {
    if (typeof children === 'string') continue; // white space between elements
    const values = children.map((child) => (typeof child === 'string' ? child : toFields(child)));
    fields[name] = values.length === 1 ? (values[0] as XmlValue) : values;
  }
  return fields;
}

/**
 * Looks through the markup, outside of CDATA, before a parser sees it: no DOCTYPE (so no entities
 * of its own), no NUL, bounded depth and number of elements.
 */
function refuseDangerousXml(xml: string): void {
  if (xml.includes('\0')) throw xmlError('contains NUL');
  let depth = 0;
  let elements = 0;
  let at = xml.indexOf('<');
  while (at !== -1) {
    if (xml.startsWith('<![CDATA[', at)) {
      at = endOf(xml, ']]>', at);
    } else if (xml.startsWith('<!--', at)) {
      at = endOf(xml, '-->', at);
    } else if (xml.startsWith('<?', at)) {
      at = endOf(xml, '?>', at);
    } else if (xml.startsWith('<!', at)) {
      throw xmlError('declares a document type or entities');
    } else {
      const end = endOf(xml, '>', at);
      if (xml[at + 1] === '/') depth -= 1;
      else if (xml[end - 2] !== '/') depth += 1;
      elements += 1;
      if (depth > MAX_DEPTH || elements > MAX_ELEMENTS * 2)
        throw xmlError('is too deep or too large');
      at = end;
    }
    at = xml.indexOf('<', at);
  }
}

function endOf(xml: string, mark: string, from: number): number {
  const found = xml.indexOf(mark, from);
  if (found === -1) throw xmlError('is not well-formed');
  return found + mark.length;
}

function xmlError(what: string, cause?: unknown): WechatCryptoError {
  return new WechatCryptoError(WechatCryptoErrcode.xmlParseFailed, `The XML ${what}`, cause);
}

/** A text as CDATA, whatever it contains. */
export function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}
