import type { Authorizer } from './authorizer.entity.js';
import { toAuthorizerView } from './authorizer.views.js';

const COLUMNS = [
  'component_appid',
  'authorizer_appid',
  'status',
  'type',
  'nick_name',
  'user_name',
  'principal_name',
  'func_info',
  'first_authorized_at',
  'last_authorized_at',
  'revoked_at',
] as const;

/** Lines of a CSV file (RFC 4180), one account at a time. No token is among the columns. */
export async function* exportCsv(rows: AsyncIterable<Authorizer>): AsyncGenerator<string> {
  // The mark at the beginning makes spreadsheets read UTF-8.
  yield `\uFEFF${COLUMNS.join(',')}\r\n`;
  for await (const row of rows) {
    const view = toAuthorizerView(row);
    const values = [
      view.componentAppId,
      view.authorizerAppId,
      view.status,
      view.type,
      view.nickName,
      view.userName,
      view.principalName,
      view.funcInfo.join('|'),
      view.firstAuthorizedAt,
      view.lastAuthorizedAt,
      view.revokedAt,
    ];
    yield `${values.map((value) => cell(value ?? '')).join(',')}\r\n`;
  }
}

/**
 * Names are the customers' own: one that a spreadsheet would take for a formula, be it by the
 * full-width signs that Chinese ones know, is made text.
 */
function cell(text: string): string {
  const safe = /^\s*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
