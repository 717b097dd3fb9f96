import { z } from 'zod';
import type { Authorizer } from './authorizer.entity.js';

/** WeChat's types are unreliable: a field of a wrong type counts as missing. */
const text = z.string().optional().catch(undefined);
const number = z.coerce.number().int().optional().catch(undefined);
const info = z.looseObject({
  nick_name: text,
  user_name: text,
  principal_name: text,
  head_img: text,
  verify_type_info: z.object({ id: number }).optional().catch(undefined),
  account_status: number,
  MiniProgramInfo: z.unknown().optional(),
});

/** account_status values with which WeChat gives no working tokens: cancelled, banned, frozen. */
const SUSPENDED_ACCOUNT_STATUSES = new Set([14, 16, 19]);
/** Longest text that the columns for names hold. */
const NAME_LENGTH = 191;
const USER_NAME_LENGTH = 64;

/** Columns that api_get_authorizer_info fills; a field that it does not have is not among them. */
export function recordOfInfo(answer: Record<string, unknown>): Partial<Authorizer> {
  const fields = info.parse(answer);
  return withoutUndefined({
    nickName: fields.nick_name?.slice(0, NAME_LENGTH),
    userName: fields.user_name?.slice(0, USER_NAME_LENGTH),
    principalName: fields.principal_name?.slice(0, NAME_LENGTH),
    headImg: fields.head_img,
    verifyType: fields.verify_type_info?.id,
    type: fields.MiniProgramInfo === undefined ? 'official_account' : 'mini_program',
    info: JSON.stringify(answer),
  });
}

/** WeChat's account_status, where it is one with which there are no working tokens. */
export function suspension(answer: Record<string, unknown>): number | undefined {
  const status = info.parse(answer).account_status;
  return status !== undefined && SUSPENDED_ACCOUNT_STATUSES.has(status) ? status : undefined;
}

/** What an operator may care about, for the history. */
const WATCHED = ['nickName', 'principalName', 'verifyType', 'funcInfo'] as const;

/** The watched columns that differ, as they were and are; undefined where none does. */
export function changesOf(
  before: Authorizer,
  after: Authorizer,
): Record<string, unknown> | undefined {
  const changed = WATCHED.filter((name) => before[name] !== null && before[name] !== after[name]);
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((name) => [name, { from: before[name], to: after[name] }]));
}

function withoutUndefined(values: {
  [K in keyof Authorizer]?: Authorizer[K] | undefined;
}): Partial<Authorizer> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<Authorizer>;
}
