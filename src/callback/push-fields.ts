import { HubError } from '../common/hub-error.js';
import { unixSeconds } from '../common/times.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';

/**
 * A field that must stand once, as text, and not be empty.
 * @throws {HubError} 400 `field_missing` or `field_invalid`
 */
export function textField(fields: XmlFields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  const [code, what] = value
    ? ['field_invalid', 'is not one text']
    : ['field_missing', 'is missing'];
  throw new HubError(code, `The push's ${name} ${what}`, { status: 400, level: 'warn' });
}

/**
 * A field that must be a time in Unix seconds.
 * @throws {HubError} 400 `field_missing` or `field_invalid`
 */
export function timeField(fields: XmlFields, name: string): number {
  const seconds = unixSeconds(textField(fields, name));
  if (seconds === undefined) {
    throw new HubError('field_invalid', `The push's ${name} is not a time`, {
      status: 400,
      level: 'warn',
    });
  }
  return seconds;
}
