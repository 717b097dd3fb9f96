import { APPID } from '../common/appid.js';
import { Secret } from '../common/secret.js';
import { authorizerKey, type AuthorizerId } from '../authorizer/authorizer.js';
import type { MovedIn } from '../authorizer/authorizer-transitions.js';

/** An account as another system names it, unchecked. */
export interface BroughtRow {
  /** Where it stands there, for people. */
  place: string;
  componentAppId: string | null;
  authorizerAppId: string | null;
  refreshToken: string | null;
  nickName?: string | null;
  userName?: string | null;
  principalName?: string | null;
  headImg?: string | null;
  /** Unix seconds. */
  authTime?: number | string | null;
}

/** An account that can be moved in. */
export interface BroughtAccount extends AuthorizerId {
  brought: Omit<MovedIn, 'source'>;
}

/** Why a row cannot be moved in; nothing of its refresh token is in it. */
export interface RowProblem {
  place: string;
  account: string;
  problem: string;
}

/** WeChat's have some 50 characters after `refreshtoken@@@`. */
const REFRESH_TOKEN = /^[\x21-\x7e]{8,512}$/;
/** Lengths of the columns. */
const LENGTHS = { nickName: 191, userName: 64, principalName: 191, headImg: 1024 } as const;

/** Checks the rows of another system; an account that is named twice alike is one. */
export function checkRows(rows: Iterable<BroughtRow>): {
  accounts: BroughtAccount[];
  problems: RowProblem[];
} {
  const accounts = new Map<string, BroughtAccount>();
  const problems: RowProblem[] = [];
  for (const row of rows) {
    const account = toAccount(row);
    const known = typeof account === 'string' ? undefined : accounts.get(authorizerKey(account));
    const problem =
      typeof account === 'string'
        ? account
        : known && !known.brought.refreshToken.equals(account.brought.refreshToken.reveal())
          ? 'it is named before, with another refresh token'
          : undefined;
    if (problem !== undefined) problems.push({ ...placeOf(row), problem });
    else if (typeof account !== 'string') accounts.set(authorizerKey(account), account);
  }
  return { accounts: [...accounts.values()], problems };
}

/** What is wrong with the row where it is text. */
function toAccount(row: BroughtRow): BroughtAccount | string {
  const componentAppId = row.componentAppId?.trim() ?? '';
  const authorizerAppId = row.authorizerAppId?.trim() ?? '';
  const token = row.refreshToken?.trim() ?? '';
  if (!APPID.test(componentAppId)) return 'it names no platform, or no right appid of one';
  if (!APPID.test(authorizerAppId)) return 'it has no appid, or none that is right';
  if (token === '') return 'it has no refresh token';
  if (!REFRESH_TOKEN.test(token))
    return 'its refresh token has characters or a length that none has';
  const columns = Object.fromEntries(
    Object.entries(LENGTHS).flatMap(([name, length]) => {
      const text = row[name as keyof typeof LENGTHS];
      return text ? [[name, [...text].slice(0, length).join('')]] : [];
    }),
  );
  const seconds = Number(row.authTime ?? 0);
  const authorizedAt = Number.isInteger(seconds) && seconds > 0 ? seconds * 1000 : null;
  const brought = { refreshToken: new Secret(token), columns, authorizedAt };
  return { componentAppId, authorizerAppId, brought };
}

function placeOf({
  place,
  componentAppId,
  authorizerAppId,
}: BroughtRow): Omit<RowProblem, 'problem'> {
  const account = [componentAppId, authorizerAppId].map((id) => shown(id ?? '')).join('/');
  return { place, account };
}

/** What stands where an appid should may be anything, a token in the wrong column too. */
function shown(id: string): string {
  return APPID.test(id) && id.length <= 32 ? id : '?';
}
