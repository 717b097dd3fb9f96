import { APPID } from '../common/appid.js';
import { firstText } from '../wechat-crypto/push-text.js';
import { WechatCryptoErrcode, WechatCryptoError } from '../wechat-crypto/wechat-crypto.error.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import { authorizationDedupKey, messageDedupKey } from './dedup-key.js';
import type { PushContent, PushUrl } from './push-url.js';
import type { VerifiedPush } from './push-verifier.js';

/** Where authorization events name their account: every InfoType has one of these. */
const ACCOUNT_FIELDS = ['AuthorizerAppid', 'authorizer_appid', 'appid', 'verify_appid'];

/** 授权事件接收URL: everything that is meant for the platform alone. */
export const authorizationUrl: PushUrl = {
  authorizerAppId: null,
  read(verified) {
    // What a push is, its content says: WeChat's test tools send messages here, too.
    return isMessage(verified.fields)
      ? messageContent(verified, null)
      : authorizationContent(verified);
  },
};

/** Whether a push is an authorization event, on whichever URL it comes. */
export function isAuthorizationEvent(fields: XmlFields): boolean {
  return Boolean(firstText(fields, 'InfoType')) && !isMessage(fields);
}

/** @throws {WechatCryptoError} -40005 for an event of another platform. */
export function authorizationContent({
  component,
  fields,
  text,
  problem,
}: VerifiedPush): PushContent {
  const appid = firstText(fields, 'AppId');
  if (appid !== undefined && appid !== component.appid) {
    throw new WechatCryptoError(
      WechatCryptoErrcode.appidMismatch,
      'The decrypted AppId is not the one of this URL',
    );
  }
  return {
    kind: 'authorization',
    authorizerAppId: accountOf(fields),
    // An event without one is kept like an unknown one.
    infoType: firstText(fields, 'InfoType') ?? '',
    msgType: null,
    event: null,
    fromUser: null,
    dedupKey: authorizationDedupKey({ componentAppId: component.appid, fields, text, problem }),
    outcome: 'success',
    forHub: false,
  };
}

/** @param authorizerAppId the account of the path; null where it names none. */
export function messageContent(
  { component, fields, text, problem }: VerifiedPush,
  authorizerAppId: string | null,
): PushContent {
  const msgType = firstText(fields, 'MsgType') || null;
  const isEvent = msgType === 'event';
  const source = { componentAppId: component.appid, authorizerAppId, fields, text, problem };
  return {
    kind: isEvent ? 'event' : 'message',
    authorizerAppId,
    infoType: '',
    msgType,
    event: (isEvent && firstText(fields, 'Event')) || null,
    fromUser: firstText(fields, 'FromUserName') || null,
    dedupKey: messageDedupKey(source),
    outcome: 'success',
    forHub: false,
  };
}

function isMessage(fields: XmlFields): boolean {
  return Boolean(firstText(fields, 'MsgType'));
}

function accountOf(fields: XmlFields): string | null {
  const names = ACCOUNT_FIELDS.map((name) => firstText(fields, name) ?? '');
  return names.find((name) => APPID.test(name)) ?? null;
}
