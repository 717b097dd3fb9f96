import { cdata } from './push-builder.js';

/**
 * A field of an event: text in CDATA, numbers bare (beyond 2^53 as bigint), nested elements,
 * repeated elements.
 */
export type EventField = string | number | bigint | EventFields | EventFields[];

/** The fields behind InfoType, in the order in which they are written. */
export interface EventFields {
  [name: string]: EventField;
}

/** The decrypted text of an event on the auth URL (authorize_event page). */
export function eventXml(
  appid: string,
  createTime: number,
  infoType: string,
  fields: EventFields,
): string {
  const all = { AppId: appid, CreateTime: createTime, InfoType: infoType, ...fields };
  return `<xml>${elements(all)}</xml>`;
}

/** The elements of fields, without a root. */
export function elements(fields: EventFields): string {
  return Object.entries(fields)
    .map(([name, value]) =>
      Array.isArray(value)
        ? value.map((item) => element(name, item)).join('')
        : element(name, value),
    )
    .join('');
}

function element(name: string, value: string | number | bigint | EventFields): string {
  const content =
    typeof value === 'string'
      ? cdata(value)
      : typeof value === 'object'
        ? elements(value)
        : String(value);
  return `<${name}>${content}</${name}>`;
}
