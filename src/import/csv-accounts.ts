import { CommandError } from '../common/command-error.js';
import type { BroughtRow } from './brought-accounts.js';

const NEEDED = ['component_appid', 'authorizer_appid', 'authorizer_refresh_token'] as const;
const FURTHER = ['nick_name', 'principal_name', 'auth_time'] as const;

/** Most characters of a cell; the longest that an account has is a refresh token of 512. */
const LONGEST_CELL = 10_000;

/**
 * The accounts of a CSV file (RFC 4180, UTF-8): columns by the names of the first line, in any order.
 * @throws {CommandError} where a column is missing, unknown or there twice, a cell is too long, or
 * the quotes are wrong.
 */
export function csvAccounts(text: string): BroughtRow[] {
  const [head, ...lines] = csvLines(text.replace(/^\uFEFF/, ''));
  const names = (head?.cells ?? []).map((name) => name.trim());
  for (const name of NEEDED) {
    if (!names.includes(name)) throw new CommandError(`The first line lacks the column ${name}`);
  }
  const known: readonly string[] = [...NEEDED, ...FURTHER];
  const unknown = names.filter((name) => !known.includes(name)).length;
  // Not by name: where the first line is missing, this would show an account's.
  if (unknown > 0) {
    throw new CommandError(`The first line has ${unknown} columns besides ${known.join(', ')}`);
  }
  if (new Set(names).size < names.length) {
    throw new CommandError('The first line has a column twice');
  }
  return lines.map(({ line, cells }) => {
    const cell = (name: string): string | null => cells[names.indexOf(name)] || null;
    return {
      place: `line ${line}`,
      componentAppId: cell('component_appid'),
      authorizerAppId: cell('authorizer_appid'),
      refreshToken: cell('authorizer_refresh_token'),
      nickName: cell('nick_name'),
      principalName: cell('principal_name'),
      authTime: cell('auth_time'),
    };
  });
}

/** Records with the line that each begins on; empty ones are left out. */
function csvLines(text: string): { line: number; cells: string[] }[] {
  const records: { line: number; cells: string[] }[] = [];
  let [line, begun] = [1, 1];
  let cells: string[] = [];
  // A cell and what ends it.
  const most = `{0,${LONGEST_CELL}}`;
  const cell = new RegExp(`(?:"((?:[^"]|"")${most})"|([^",\r\n]${most}))(,|\r\n|\n|\r|$)`, 'y');
  while (cell.lastIndex < text.length) {
    const [whole, quoted, plain = '', end] = cell.exec(text) ?? [];
    if (whole === undefined) {
      throw new CommandError(
        `The quotes of line ${line} are wrong, or a cell has more than ${LONGEST_CELL} characters`,
      );
    }
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.match(/\r\n|\n|\r/g)?.length ?? 0;
    if (end === ',' && cell.lastIndex < text.length) continue;
    if (end === ',') cells.push('');
    if (cells.some((value) => value !== '')) records.push({ line: begun, cells });
    [cells, begun] = [[], line];
  }
  return records;
}
