import { fieldsXml } from '../wechat-crypto/wechat-xml.js';
import { readPushText, type PushText } from '../wechat-crypto/push-text.js';
import type { XmlFields, XmlValue } from '../wechat-crypto/xml-fields.js';

/** Stands where a secret was. */
const SECRET_MARK = '[secret]';

/** Fields of authorization events that give their holder an authorization, or a token. */
const SECRET_NAMES = [
  'AuthorizationCode',
  'PreAuthCode',
  'auth_code',
  'ComponentVerifyTicket',
  'authorizer_refresh_token',
  'authorizer_access_token',
];
const SECRET_FIELDS = new Set(SECRET_NAMES);
/** What WeChat's secrets look like, wherever they stand. */
const SECRET_FORM = /\b(?:queryauthcode|preauthcode|refreshtoken|ticket)@@@[\w\-=+/.%]*/g;
const NAMES = SECRET_NAMES.join('|');
/** An element of such a name, whole, or to the end of the text where it does not end. */
const SECRET_ELEMENT = new RegExp(`(<(${NAMES})(?:\\s[^<>]*)?>)[^]*?(</\\2\\s*>|$)`, 'g');
/** A JSON text of such a name, whole, or to the end. */
const SECRET_PAIR = new RegExp(
  `(["'](?:${NAMES})["']\\s*:\\s*)("(?:[^"\\\\]|\\\\[^])*(?:"|$)|[^",}\\s]+)`,
  'g',
);

/** Most secrets that are looked for in a text, each through all of it; WeChat's events have three. */
const MAX_SOUGHT = 20;

/** What comes into the place of the secret in a field of this name. */
export type InPlaceOf = (name: string, secret: string) => string;

/** An event's fields without what is secret in them. */
export function withoutEventSecrets(fields: XmlFields, inPlaceOf?: InPlaceOf): XmlFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, withoutSecrets(name, value, inPlaceOf)]),
  );
}

/**
 * An event's text with something else in the place of each secret: as it came where it has none,
 * else written again from its fields. One that could not be read whole is only rid of them.
 */
export function replacedTextSecrets(
  push: PushText & { text: string },
  inPlaceOf: InPlaceOf,
): string {
  const { text, format, fields, problem } = push;
  if (problem !== null) return withoutTextSecrets(push);
  if (eventSecretsOf(fields).length === 0) return text;
  return rewritten(withoutEventSecrets(fields, inPlaceOf), format);
}

/**
 * An event's text without what is secret in it: as it came, where its secrets can be taken out of
 * it in their place, else written again from its fields.
 */
export function withoutTextSecrets({
  text,
  format,
  fields,
  problem,
}: PushText & { text: string }): string {
  const secrets = [...new Set(eventSecretsOf(fields))];
  if (secrets.length > MAX_SOUGHT) {
    // Also of a document that could not be read to its end: nothing is left that was not looked at.
    return problem === null ? rewritten(withoutEventSecrets(fields), format) : SECRET_MARK;
  }
  const masked = withoutForms(text, secrets);
  if (problem !== null)
    return withoutForms(
      masked
        .replace(SECRET_ELEMENT, `$1${SECRET_MARK}$3`)
        .replace(SECRET_PAIR, `$1"${SECRET_MARK}"`),
      secrets,
    );
  // Character references, split CDATA and escapes hide a secret from a search, not from a reader.
  const left = eventSecretsOf(readPushText(masked).fields);
  if (left.every((secret) => secret === SECRET_MARK)) return masked;
  return rewritten(withoutEventSecrets(fields), format);
}

function withoutForms(text: string, secrets: string[]): string {
  let masked = text.replace(SECRET_FORM, SECRET_MARK);
  for (const secret of secrets) {
    const forms = [secret, xmlEscaped(secret), JSON.stringify(secret).slice(1, -1)];
    for (const form of forms) masked = masked.replaceAll(form, SECRET_MARK);
  }
  return masked;
}

function rewritten(fields: XmlFields, format: PushText['format']): string {
  if (format === 'json') return JSON.stringify(fields);
  try {
    return fieldsXml(fields);
  } catch {
    // A name or character that no document can have: the fields are shown, the text is not.
    return SECRET_MARK;
  }
}

function xmlEscaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The secrets of an event, to be taken out of its text. */
function eventSecretsOf(fields: XmlFields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (SECRET_FIELDS.has(name)) return textsOf(value);
    return typeof value === 'string' ? formsIn(value) : [value].flat().flatMap(secretsWithin);
  });
}

/** A secret in a field of another name. */
function formsIn(text: string): string[] {
  return text.match(SECRET_FORM) ?? [];
}

function withoutSecrets(name: string, value: XmlValue, inPlaceOf?: InPlaceOf): XmlValue {
  if (SECRET_FIELDS.has(name)) {
    return inPlaceOf && typeof value === 'string' ? inPlaceOf(name, value) : SECRET_MARK;
  }
  if (typeof value === 'string') return value.replace(SECRET_FORM, SECRET_MARK);
  if (Array.isArray(value)) return value.map((entry) => withoutSecrets(name, entry, inPlaceOf));
  return withoutEventSecrets(value, inPlaceOf);
}

function secretsWithin(value: XmlValue): string[] {
  if (typeof value === 'string') return formsIn(value);
  return Array.isArray(value) ? value.flatMap(secretsWithin) : eventSecretsOf(value);
}

function textsOf(value: XmlValue): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return (Array.isArray(value) ? value : Object.values(value)).flatMap(textsOf);
}
