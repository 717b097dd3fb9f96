import { kindOfErrcode } from '../wechat-api/wechat-errcode.js';

/** Stands for every value that is not known: what others choose must not make series. */
export const OTHER = 'other';

/** InfoTypes that WeChat documents, or that its users have published. */
const INFO_TYPES = [
  'component_verify_ticket',
  'authorized',
  'updateauthorized',
  'unauthorized',
  'notify_third_fasteregister',
  'notify_third_fastregisterbetaapp',
  'notify_third_fastverifybetaapp',
  'notify_3rd_wxa_auth',
  'notify_3rd_wxa_wxverify',
  'notify_3rd_wxa_auth_and_icp',
  'notify_icpfiling_verify_result',
  'notify_apply_icpfiling_result',
  'order_path_apply_result_notify',
  'order_path_audit_result_notify',
];
/** MsgTypes of messages, and that of all events. */
const MSG_TYPES = [
  'text',
  'image',
  'voice',
  'video',
  'shortvideo',
  'location',
  'link',
  'miniprogrampage',
  'file',
  'event',
];
/** Of a push that was not verified: nothing in it counts. */
const UNVERIFIED = 'unverified';
const PUSH_TYPES = new Set([...INFO_TYPES, ...MSG_TYPES, UNVERIFIED]);

/** Methods that routes have, and those that browsers and scanners commonly try. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Refusals of customer messages, which no rule of the hub's needs to know. */
const MESSAGE_ERRCODES = ['40003', '45015', '45047'];

/** What a push is, by InfoType or MsgType. */
export function pushTypeLabel(type: string): string {
  return PUSH_TYPES.has(type) ? type : OTHER;
}

export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : OTHER;
}

/** WeChat's errcode where its meaning is known; a word stands as it is, being one of the hub's. */
export function errcodeLabel(errcode: string): string {
  if (!/\d/.test(errcode) || MESSAGE_ERRCODES.includes(errcode)) return errcode;
  const known = kindOfErrcode(Number(errcode)) !== 'unknown';
  return known && String(Number(errcode)) === errcode ? errcode : OTHER;
}
