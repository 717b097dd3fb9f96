import { csvHead, csvLine } from '../http/csv.js';
import { z } from 'zod';
import { isoTime } from '../common/times.js';
import { timeView } from '../http/field-schemas.js';
import { AUTHORIZER_STATUSES, AUTHORIZER_TYPES } from './authorizer.js';
import type { AuthorizerChange } from './authorizer-change.entity.js';
import type { Authorizer } from './authorizer.entity.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

/** An account as `/admin/authorizers` shows it; its tokens are not part of it. */
export const authorizerView = z
  .object({
    componentAppId: z.string(),
    authorizerAppId: z.string(),
    status: z.enum(AUTHORIZER_STATUSES),
    type: z.enum(AUTHORIZER_TYPES),
    nickName: z.string().nullable(),
    userName: z.string().nullable(),
    principalName: z.string().nullable(),
    headImg: z.string().nullable(),
    verifyType: z.int().nullable().describe("WeChat's verify_type_info: -1 none, 0 verified, …"),
    serviceType: z
      .int()
      .nullable()
      .describe("WeChat's service_type_info; null until information was fetched, as the next two"),
    accountStatus: z
      .int()
      .nullable()
      .describe("WeChat's account_status: 1 normal, 14 cancelled, 16 banned, 18 warned, 19 frozen"),
    registerType: z.int().nullable().describe("WeChat's register_type, of mini programs"),
    funcInfo: z.array(z.int()).describe('Ids of the granted permission sets'),
    firstAuthorizedAt: timeView.nullable(),
    lastAuthorizedAt: timeView.nullable(),
    revokedAt: timeView.nullable(),
    token: z.object({
      expiresAt: timeView.nullable(),
      refreshAt: timeView.nullable(),
      generation: z.int(),
      attempts: z.int(),
      nextAttemptAt: timeView.nullable(),
      lastError: z.string().nullable(),
      lastErrorRemark: remarkOf('lastError'),
    }),
  })
  .meta({ id: 'Authorizer' });
export type AuthorizerView = z.infer<typeof authorizerView>;

export const authorizerListView = z
  .object({
    authorizers: z.array(authorizerView),
    next: z
      .string()
      .nullable()
      .describe('Value of `after` for the next page; a page may be short while there is one'),
  })
  .meta({ id: 'AuthorizerPage' });

export const authorizerDetailView = authorizerView
  .extend({
    info: z.record(z.string(), z.unknown()).nullable().describe("WeChat's own answer"),
    history: z.array(z.object({ at: timeView, what: z.string(), detail: z.unknown().nullable() })),
  })
  .meta({ id: 'AuthorizerDetail' });

export const authorizerListQuery = z.object({
  component: z.string().max(64).optional(),
  status: z.enum(AUTHORIZER_STATUSES).optional(),
  type: z.enum(AUTHORIZER_TYPES).optional(),
  accountStatus: z.coerce.number().int().min(0).max(9999).optional().describe("WeChat's number"),
  search: z.string().min(1).max(64).optional(),
  lacks: z.coerce
    .number()
    .int()
    .min(1)
    .max(9999)
    .optional()
    .describe('Id of a permission set that is not granted'),
  failing: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional()
    .describe('Whether the last refresh of the token failed'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  after: z.string().max(129).optional(),
});
export type AuthorizerListQuery = z.output<typeof authorizerListQuery>;

export function toAuthorizerView(row: Authorizer): AuthorizerView {
  const lastError = row.lastError && (JSON.parse(row.lastError) as { message: string }).message;
  return {
    componentAppId: row.componentAppId,
    authorizerAppId: row.authorizerAppId,
    status: row.status,
    type: row.type,
    nickName: row.nickName,
    userName: row.userName,
    principalName: row.principalName,
    headImg: row.headImg,
    verifyType: row.verifyType,
    serviceType: row.serviceType,
    accountStatus: row.accountStatus,
    registerType: row.registerType,
    funcInfo: row.funcInfo === null ? [] : (JSON.parse(row.funcInfo) as number[]),
    firstAuthorizedAt: isoTime(row.firstAuthorizedAt),
    lastAuthorizedAt: isoTime(row.lastAuthorizedAt),
    revokedAt: isoTime(row.revokedAt),
    token: {
      expiresAt: isoTime(row.expiresAt),
      refreshAt: isoTime(row.refreshAt),
      generation: row.generation,
      attempts: row.attempts,
      nextAttemptAt: isoTime(row.nextAttemptAt),
      lastError,
      lastErrorRemark: toRemarkView(lastError),
    },
  };
}

export function toDetailView({
  row,
  info,
  history,
}: {
  row: Authorizer;
  info: string | null;
  history: AuthorizerChange[];
}): z.infer<typeof authorizerDetailView> {
  return {
    ...toAuthorizerView(row),
    info: info === null ? null : (JSON.parse(info) as Record<string, unknown>),
    history: history.map(({ at, what, detail }) => ({
      at: isoTime(at),
      what,
      detail: detail === null ? null : (JSON.parse(detail) as unknown),
    })),
  };
}

const CSV_COLUMNS = [
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
  yield csvHead(CSV_COLUMNS);
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
    yield csvLine(values);
  }
}

export const authorizerViewExample: AuthorizerView = {
  componentAppId: 'wx0123456789abcdef',
  authorizerAppId: 'wxfedcba9876543210',
  status: 'active',
  type: 'official_account',
  nickName: '示例公众号',
  userName: 'gh_0123456789ab',
  principalName: '示例有限公司',
  headImg: 'https://wx.qlogo.cn/mmopen/example/0',
  verifyType: 0,
  serviceType: 2,
  accountStatus: 1,
  registerType: null,
  funcInfo: [1, 2, 3],
  firstAuthorizedAt: '2026-11-22T08:00:00.000Z',
  lastAuthorizedAt: '2026-11-22T08:00:00.000Z',
  revokedAt: null,
  token: {
    expiresAt: '2026-11-22T10:00:00.000Z',
    refreshAt: '2026-11-22T09:38:12.000Z',
    generation: 1,
    attempts: 0,
    nextAttemptAt: null,
    lastError: null,
    lastErrorRemark: null,
  },
};
