/** Reads the members of a JSON object; throws for anything else. */
export function readReplyJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Error('it is no JSON object');
  }
  return value as Record<string, unknown>;
}
