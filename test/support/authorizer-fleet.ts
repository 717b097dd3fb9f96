import type { IssuedTokens } from '../../simulator/accounts.js';
import { encryptedColumns, secretLocation } from '../../src/secrets/encrypted-columns.js';
import { SecretBox } from '../../src/secrets/secret-box.js';
import { MASTER_KEY } from './fake-settings.js';
import type { ProcessFleet } from './process-fleet.js';

/** When an account's token is to be refreshed, and when it ends; Unix milliseconds. */
export interface TokenTimesOfRow {
  refreshAt: number;
  expiresAt: number;
}

const [KEY_ID = '', KEY = ''] = MASTER_KEY.split(':');
const box = new SecretBox([{ id: KEY_ID, key: Buffer.from(KEY, 'base64') }]);
const COLUMNS = [
  'component_appid, authorizer_appid, status, type, created_at, updated_at, used_at',
  'last_authorized_at, refresh_token, access_token, expires_in, obtained_at, expires_at',
  'refresh_at, generation, attempts',
].join(', ');

/** Writes rows of accounts as hubs would have that have kept them for a while. */
export async function fillAuthorizers(
  { sql }: ProcessFleet,
  componentAppId: string,
  accounts: IssuedTokens[],
  timesOf: (account: IssuedTokens, index: number) => TokenTimesOfRow,
): Promise<void> {
  const now = Date.now();
  const rows = accounts.map((one, index) => {
    const { account, accessToken, refreshToken } = one;
    const { refreshAt, expiresAt } = timesOf(one, index);
    const seal = (column: 'authorizerAccessToken' | 'authorizerRefreshToken', text: string) =>
      box.seal(text, secretLocation(encryptedColumns[column], componentAppId, account));
    return [
      [componentAppId, account, 'active', 'official_account', now, now, now, now],
      [seal('authorizerRefreshToken', refreshToken), seal('authorizerAccessToken', accessToken)],
      [7200, expiresAt - 7_200_000, expiresAt, Math.round(refreshAt), 1, 0],
    ].flat();
  });
  await sql.query(`INSERT INTO authorizer (${COLUMNS}) VALUES ?`, [rows]);
}

/** Has the hubs believe that the platform's daily comparison with WeChat's list was made. */
export async function withoutDailyResync({ sql }: ProcessFleet, appid: string): Promise<void> {
  const now = Date.now();
  await sql.query(
    'REPLACE INTO authorizer_resync ' +
      '(component_appid, resync_id, done, total, started_at, finished_at) VALUES (?)',
    [[appid, 'none', 0, 0, now, now]],
  );
}

/** One value of one row, as a number. */
export async function count(
  { sql }: ProcessFleet,
  statement: string,
  values: unknown[] = [],
): Promise<number> {
  const [rows] = await sql.query(statement, values);
  return Number(Object.values((rows as Record<string, unknown>[])[0] ?? {})[0]);
}
