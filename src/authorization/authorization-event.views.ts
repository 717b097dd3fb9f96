import { HubError } from '../common/hub-error.js';
import { errorOf, problemView } from '../http/problem-view.js';
import { z } from 'zod';
import type { Push } from '../callback/push.js';
import type { ListedPush } from '../callback/push.store.js';
import { isoTime, isoTimeOfSeconds } from '../common/times.js';
import { pageQuery } from '../http/field-schemas.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import { withoutEventSecrets } from '../callback/event-secrets.js';

const whole = z
  .string()
  .regex(/^-?\d{1,15}$/)
  .transform(Number);
const text = z.string().optional();
const amount = whole.optional();
const company = z
  .looseObject({
    name: text,
    code: text,
    code_type: amount,
    legal_persona_wechat: text,
    legal_persona_name: text,
    component_phone: text,
    /** The personal variant has these two. */
    wxuser: text,
    idname: text,
  })
  .optional();
const granted = z.looseObject({
  AuthorizerAppid: z.string(),
  AuthorizationCodeExpiredTime: amount,
});

/** The fields that WeChat documents by InfoType, in WeChat's spelling; those it adds stay as they come. */
const SCHEMAS: Record<string, z.ZodType<Record<string, unknown>>> = {
  authorized: granted,
  updateauthorized: granted,
  unauthorized: z.looseObject({ AuthorizerAppid: z.string() }),
  notify_third_fasteregister: z.looseObject({
    appid: text,
    status: whole,
    msg: text,
    info: company,
  }),
  notify_third_fastregisterbetaapp: z.looseObject({
    appid: text,
    status: whole,
    msg: text,
    info: z.looseObject({ unique_id: text, name: text }).optional(),
  }),
  notify_third_fastverifybetaapp: z.looseObject({
    appid: text,
    status: whole,
    msg: text,
    info: company,
  }),
  notify_3rd_wxa_auth: z.looseObject({
    appid: text,
    task_status: amount,
    message: text,
    taskid: text,
    apply_status: amount,
    dispatch_info: z
      .looseObject({ provider: text, contact: text, dispatch_time: amount })
      .optional(),
  }),
  notify_3rd_wxa_wxverify: z.looseObject({ appid: text, expired: amount, message: text }),
  notify_3rd_wxa_auth_and_icp: z.looseObject({ procedure_id: text, procedure_status: amount }),
  notify_icpfiling_verify_result: z.looseObject({
    task_id: text,
    verify_appid: text,
    result: amount,
    along_with_auth_result: amount,
  }),
  order_path_apply_result_notify: z.looseObject({
    list: oneOrMore(z.looseObject({ appid: text, ret_code: amount })),
  }),
  order_path_audit_result_notify: z.looseObject({
    list: oneOrMore(
      z.looseObject({
        appid: text,
        audit_id: text,
        status: amount,
        apply_time: amount,
        audit_time: amount,
        reason: text,
      }),
    ),
  }),
  notify_apply_icpfiling_result: z.looseObject({ authorizer_appid: text, beian_status: amount }),
};

/** An element that may stand several times, as a list. */
function oneOrMore<S extends z.ZodType>(entry: S) {
  return z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(entry));
}

/** Fields that stand on the event itself, not among its own. */
const ENVELOPE = ['AppId', 'CreateTime', 'InfoType'];

export const authorizationEventView = z
  .object({
    id: z.string(),
    componentAppId: z.string(),
    infoType: z.string(),
    createTime: z.iso.datetime().nullable().describe("WeChat's CreateTime"),
    receivedAt: z.iso.datetime(),
    authorizerAppId: z
      .string()
      .nullable()
      .describe('The account that it is about, where it names one'),
    typed: z.boolean().describe('Whether the fields are those that the documentation has'),
    fields: z.record(z.string(), z.unknown()).describe("In WeChat's spelling, without codes"),
    error: problemView.optional().describe('Why it cannot be decrypted; it has no fields then'),
  })
  .meta({ id: 'AuthorizationEvent' });
export type AuthorizationEventView = z.infer<typeof authorizationEventView>;

export const authorizationEventListView = z
  .object({
    events: z.array(authorizationEventView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'AuthorizationEventPage' });

export const authorizationEventQuery = z.object({
  component: z.string().min(1).max(64).optional(),
  account: z.string().min(1).max(64).optional().describe('The account that it is about'),
  infoType: z.string().min(1).max(64).optional(),
  ...pageQuery({ most: 200, usual: 50 }),
});
export type AuthorizationEventQuery = z.output<typeof authorizationEventQuery>;

export function toAuthorizationEventView(
  { id, componentAppId, authorizerAppId, infoType, createTime, receivedAt }: ListedPush,
  push: Push | Error,
): AuthorizationEventView {
  const event = {
    id,
    componentAppId,
    infoType,
    createTime: isoTimeOfSeconds(createTime),
    receivedAt: isoTime(receivedAt),
    authorizerAppId,
  };
  if (push instanceof HubError) return { ...event, typed: false, fields: {}, ...errorOf(push) };
  if (push instanceof Error) throw push;
  return { ...event, ...typedFields(infoType, push.fields) };
}

/** The fields of an event as numbers and texts, where it has those that the documentation has. */
function typedFields(
  infoType: string,
  all: XmlFields,
): Pick<AuthorizationEventView, 'typed' | 'fields'> {
  const own = Object.entries(all).filter(([name]) => !ENVELOPE.includes(name));
  const fields = withoutEventSecrets(Object.fromEntries(own));
  const parsed = Object.hasOwn(SCHEMAS, infoType)
    ? SCHEMAS[infoType]?.safeParse(fields)
    : undefined;
  return {
    typed: parsed?.success ?? false,
    fields: parsed?.success ? parsed.data : fields,
  };
}

export const authorizationEventExample: AuthorizationEventView = {
  id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
  componentAppId: 'wx0123456789abcdef',
  infoType: 'notify_third_fasteregister',
  createTime: '2026-11-22T08:00:00.000Z',
  receivedAt: '2026-11-22T08:00:01.000Z',
  authorizerAppId: 'wxfedcba9876543210',
  typed: true,
  fields: { appid: 'wxfedcba9876543210', status: 0, msg: 'ok', auth_code: '[secret]' },
};
