import { z } from 'zod';
import type { Authorizer } from './authorizer.entity.js';

const info = z.looseObject({
  nick_name: z.string().optional(),
  user_name: z.string().optional(),
  principal_name: z.string().optional(),
  head_img: z.string().optional(),
  verify_type_info: z.object({ id: z.coerce.number().int() }).optional().catch(undefined),
  account_status: z.coerce.number().int().optional().catch(undefined),
  MiniProgramInfo: z.unknown().optional(),
});

/** account_status values with which WeChat gives no working tokens: cancelled, banned, frozen. */
const SUSPENDED_ACCOUNT_STATUSES = new Set([14, 16, 19]);
/** Longest text that the columns for names hold. */
const NAME_LENGTH = 191;

/** Columns that api_get_authorizer_info fills; a field that it does not have is not among them. */
export function recordOfInfo(answer: Record<string, unknown>): Partial<Authorizer> {
  const fields = info.parse(answer);
  const suspended =
    fields.account_status !== undefined && SUSPENDED_ACCOUNT_STATUSES.has(fields.account_status);
  return withoutUndefined({
    nickName: fields.nick_name?.slice(0, NAME_LENGTH),
    userName: fields.user_name?.slice(0, 64),
    principalName: fields.principal_name?.slice(0, NAME_LENGTH),
    headImg: fields.head_img,
    verifyType: fields.verify_type_info?.id,
    type: fields.MiniProgramInfo === undefined ? 'official_account' : 'mini_program',
    status: suspended ? 'suspended' : undefined,
    info: JSON.stringify(answer),
  });
}

function withoutUndefined(values: {
  [K in keyof Authorizer]?: Authorizer[K] | undefined;
}): Partial<Authorizer> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<Authorizer>;
}
