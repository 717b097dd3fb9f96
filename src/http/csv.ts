/** First line of a CSV file (RFC 4180). */
export function csvHead(columns: readonly string[]): string {
  // The mark at the beginning makes spreadsheets read UTF-8.
  return `\uFEFF${csvLine(columns)}`;
}

/** Another line of it; null is an empty cell. */
export function csvLine(values: readonly (string | null | undefined)[]): string {
  return `${values.map((value) => cell(value ?? '')).join(',')}\r\n`;
}

/**
 * Names are the customers' own: one that a spreadsheet would take for a formula, be it by the
 * full-width signs that Chinese ones know, is made text.
 */
function cell(text: string): string {
  const safe = /^\s*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
