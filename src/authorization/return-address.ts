/** Two slashes and a host without a user: all else is read one way here and another elsewhere. */
const PLAIN = /^https?:\/\/[^/?#@]+(?:[/?#]|$)/i;
/** Browsers drop some of these and turn others into slashes. */
const TREACHEROUS = /[\p{Cc}\p{Cf}\p{Z}\\]/u;

/**
 * Where a browser may be sent at the end of an authorization, in the form that is sent.
 * @param origins those that the operator allows, as URLs have them.
 * @returns undefined for what is no plain http(s) address of one of them.
 */
export function returnAddress(text: string, origins: string[]): string | undefined {
  if (!PLAIN.test(text) || TREACHEROUS.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, username, password, origin, href } = new URL(text);
  const isPlain = /^https?:$/.test(protocol) && username === '' && password === '';
  return isPlain && origins.includes(origin) ? href : undefined;
}
