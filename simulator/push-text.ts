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

/** The elements of fields, without a root. */
function elements(fields: EventFields): string {
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

export const MESSAGE_FORMATS = ['xml', 'json'] as const;

/** Third-party platforms get XML; shops send JSON. */
export type MessageFormat = (typeof MESSAGE_FORMATS)[number];

/** Fields to be set or, by `null` or `undefined`, left out. */
export type MessageFields = Record<string, EventField | null | undefined>;

/** The decrypted text of a message or event: its fields in the order given. */
export function messageText(fields: MessageFields, format: MessageFormat): string {
  const present = Object.entries(fields).filter(
    (entry): entry is [string, EventField] => entry[1] !== undefined && entry[1] !== null,
  );
  const all: EventFields = Object.fromEntries(present);
  return format === 'json' ? jsonText(all) : `<xml>${elements(all)}</xml>`;
}

/** JSON with bigints as bare digits, which `JSON.stringify` refuses. */
function jsonText(value: EventField): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`,
  );
  return `{${members.join(',')}}`;
}
