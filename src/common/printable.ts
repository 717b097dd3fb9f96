/** Text of others for a terminal: what moves its cursor, or is not seen, is shown as `�`. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '\ufffd');
}
