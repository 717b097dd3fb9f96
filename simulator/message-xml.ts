import { elements, type EventField, type EventFields } from './event-xml.js';

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
