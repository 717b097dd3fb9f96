import type { XmlFields, XmlValue } from '../wechat-crypto/xml-fields.js';

/** Stands where a secret was. */
export const SECRET_MARK = '[secret]';

/** Fields of authorization events that give whoever has them an authorization, or a token. */
const SECRET_FIELDS = new Set([
  'AuthorizationCode',
  'PreAuthCode',
  'auth_code',
  'ComponentVerifyTicket',
]);

/** An event's fields without what is secret in them. */
export function withoutEventSecrets(fields: XmlFields): XmlFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, withoutSecrets(name, value)]),
  );
}

/** The secrets of an event, to be taken out of its text. */
export function eventSecretsOf(fields: XmlFields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (SECRET_FIELDS.has(name)) return textsOf(value);
    return typeof value === 'string' ? [] : [value].flat().flatMap(secretsWithin);
  });
}

function withoutSecrets(name: string, value: XmlValue): XmlValue {
  if (SECRET_FIELDS.has(name)) return SECRET_MARK;
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map((entry) => withoutSecrets(name, entry));
  return withoutEventSecrets(value);
}

function secretsWithin(value: XmlValue): string[] {
  if (typeof value === 'string') return [];
  return Array.isArray(value) ? value.flatMap(secretsWithin) : eventSecretsOf(value);
}

function textsOf(value: XmlValue): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return (Array.isArray(value) ? value : Object.values(value)).flatMap(textsOf);
}
