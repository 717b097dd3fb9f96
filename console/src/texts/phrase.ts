/** What is put in for the names in a text. */
export type Values = Readonly<Record<string, unknown>>;

/**
 * A text with its `{name}`s filled in; what is between `{'` and `'}` stays as it is. A text with ` | `
 * in it has a form for one and a form for more, chosen by `count`.
 */
export function phrase(text: string, values: Values = {}, count?: number): string {
  const [one = '', more = one] = text.split(' | ');
  return (count === undefined || count === 1 ? one : more).replace(
    /\{(?:'([^']*)'|(\w+))\}/g,
    (place, literal?: string, name = '') => literal ?? String(values[name] ?? place),
  );
}
