import {
  createConnection,
  type Connection,
  type ConnectionOptions,
  type RowDataPacket,
} from 'mysql2/promise';
import { CommandError } from '../common/command-error.js';
import type { Secret } from '../common/secret.js';
import { mysqlAddress } from '../database/mysql-address.js';
import type { BroughtRow } from './brought-accounts.js';

/** Milliseconds to wait for a connection. */
const CONNECT_TIMEOUT_MS = 10_000;

/** A platform as another system keeps it, unchecked. */
export interface BroughtPlatform {
  componentAppId: string;
  name: string;
  appSecret: string;
  token: string;
  encodingAesKey: string;
}

/** What another system's database holds. */
export interface Brought {
  platforms: BroughtPlatform[];
  rows: BroughtRow[];
}

/** Of the names of WeixinCloud/wxcloudrun-wxcomponent: one platform, which the tables do not name. */
export function wxcomponentAccounts(url: Secret, componentAppId: string): Promise<Brought> {
  return reading(url, async (connection) => ({
    platforms: [],
    rows: await rowsOf(
      connection,
      `SELECT CONCAT('authorizers.id ', id) AS place, ? AS componentAppId, appid AS authorizerAppId,
         refreshtoken AS refreshToken, nickname AS nickName, username AS userName,
         principalname AS principalName, headimg AS headImg, UNIX_TIMESTAMP(authtime) AS authTime
       FROM authorizers ORDER BY id`,
      [componentAppId],
    ),
  }));
}

/** Of the names of chunbo007/wechat-mp: platforms with their secrets, and their accounts. */
export function wechatMpAccounts(url: Secret): Promise<Brought> {
  return reading(url, async (connection) => ({
    platforms: await rowsOf<BroughtPlatform>(
      connection,
      `SELECT app_id AS componentAppId, COALESCE(name, '') AS name, COALESCE(secret, '') AS appSecret,
         COALESCE(token, '') AS token, COALESCE(aes_key, '') AS encodingAesKey
       FROM platform WHERE app_id IS NOT NULL ORDER BY id`,
    ),
    rows: await rowsOf(
      connection,
      `SELECT CONCAT('authorizers.id ', a.id) AS place, p.app_id AS componentAppId,
         a.appid AS authorizerAppId, a.refreshtoken AS refreshToken, a.nick_name AS nickName,
         a.user_name AS userName, a.principal_name AS principalName, a.head_img AS headImg,
         a.auth_time AS authTime
       FROM authorizers a LEFT JOIN platform p ON p.id = a.platform_id ORDER BY a.id`,
    ),
  }));
}

async function rowsOf<R = BroughtRow>(
  connection: Connection,
  statement: string,
  values: string[] = [],
): Promise<R[]> {
  const [rows] = await connection.query<RowDataPacket[]>(statement, values);
  return rows as R[];
}

/** @throws {CommandError} which does not repeat the password. */
async function reading<T>(url: Secret, read: (connection: Connection) => Promise<T>): Promise<T> {
  let connection: Connection | undefined;
  try {
    // One read for a person: of several hosts the first one.
    const { username: user, password, database, servers } = mysqlAddress(url.reveal());
    const { host, port, ssl, stream } = servers[0];
    const limits = { charset: 'utf8mb4', connectTimeout: CONNECT_TIMEOUT_MS };
    connection = await createConnection({
      ...limits,
      ...(stream ? { ssl, stream } : {}),
      host,
      port,
      user,
      password,
      database,
    } as ConnectionOptions);
    await connection.query('SET SESSION TRANSACTION READ ONLY');
    return await read(connection);
  } catch (error) {
    const { code = 'no code' } = error as { code?: string };
    const message = error instanceof Error ? error.message : '';
    throw new CommandError(`The other system's database cannot be read: ${message} (${code})`);
  } finally {
    await connection?.end().catch(() => undefined);
  }
}
