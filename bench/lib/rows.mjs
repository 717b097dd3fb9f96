import { createConnection } from 'mysql2/promise';
import { encryptedColumns, secretLocation } from '../../dist/secrets/encrypted-columns.js';
import { SecretBox } from '../../dist/secrets/secret-box.js';
import { MASTER_KEY } from './hub.mjs';
import { COMPONENT } from './settings.mjs';

const COLUMNS = [
  'component_appid',
  'authorizer_appid',
  'status',
  'type',
  'nick_name',
  'user_name',
  'func_info',
  'first_authorized_at',
  'last_authorized_at',
  'used_at',
  'created_at',
  'updated_at',
  'refresh_token',
  'access_token',
  'expires_in',
  'obtained_at',
  'expires_at',
  'refresh_at',
  'generation',
  'attempts',
];
/** Rows of one INSERT; with secrets of this length well below what a server takes at once. */
const BATCH = 1000;
const LIFE_SECONDS = 7200;

const [keyId, key] = MASTER_KEY.split(':');
const box = new SecretBox([{ id: keyId, key: Buffer.from(key, 'base64') }]);

/**
 * One row as the hub would have written it.
 * @param {{ account: string, accessToken: string, refreshToken: string }} tokens
 * @param {{ expiresAt: number, refreshAt: number }} times Unix milliseconds
 */
export function rowOf({ account, accessToken, refreshToken }, { expiresAt, refreshAt }) {
  const seal = (column, value) =>
    box.seal(value, secretLocation(encryptedColumns[column], COMPONENT.appid, account));
  const now = Date.now();
  return [
    COMPONENT.appid,
    account,
    'active',
    'official_account',
    `Account ${account.slice(-6)}`,
    `gh_${account.slice(-12)}`,
    '[1,2,3,4,11,15]',
    now,
    now,
    now,
    now,
    now,
    seal('authorizerRefreshToken', refreshToken),
    seal('authorizerAccessToken', accessToken),
    LIFE_SECONDS,
    expiresAt - LIFE_SECONDS * 1000,
    expiresAt,
    refreshAt,
    1,
    0,
  ];
}

/** Inserts rows by the batch, next to each other in the primary key where they come in order. */
export async function insertRows(url, rows) {
  const connection = await createConnection({ uri: url });
  try {
    let batch = [];
    const flush = async () => {
      const insert = `INSERT INTO authorizer (${COLUMNS.join(', ')}) VALUES ?`;
      if (batch.length > 0) await connection.query(insert, [batch]);
      batch = [];
    };
    for await (const row of rows) {
      batch.push(row);
      if (batch.length === BATCH) await flush();
    }
    await flush();
  } finally {
    await connection.end();
  }
}

/** Texts as long as WeChat's, of accounts that WeChat is never asked about. */
export function idleTokens(account) {
  return {
    account,
    accessToken: `fake_access_${account}_`.padEnd(150, 'x'),
    refreshToken: `refreshtoken@@@fake_${account}_`.padEnd(58, 'x'),
  };
}

/** Has the hub believe that today's comparison with WeChat's list was made: it would add load. */
export async function withoutResync(database) {
  const now = Date.now();
  await database.query(
    `INSERT INTO authorizer_resync (component_appid, resync_id, done, total, started_at, finished_at)
     VALUES (?, 'bench', 0, 0, ?, ?) ON DUPLICATE KEY UPDATE started_at = ?, finished_at = ?`,
    [COMPONENT.appid, now, now, now, now],
  );
}
