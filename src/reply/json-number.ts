/** A number of a JSON document by its digits: WeChat's ids are longer than a double is exact. */
export class JsonNumber {
  constructor(readonly digits: string) {}
}

/** Values as JSON, numbers by their digits. What is undefined is left out. */
export function jsonText(value: unknown): string {
  if (value instanceof JsonNumber) return value.digits;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`);
  return `{${members.join(',')}}`;
}
