import { v7 as uuidv7 } from 'uuid';
import type { Push, PushKind } from '../callback/push.js';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import type { PushFilter } from '../subscription/subscription.js';

const SAMPLE_COMPONENT = 'wx0123456789abcdef';
const SAMPLE_ACCOUNT = 'wxfedcba9876543210';
const SAMPLE_USER = 'oSampleUser0123456789abcdefg';

/**
 * A push such as WeChat sends, for trying out a subscription.
 * @param now Unix milliseconds.
 */
export function samplePush(kind: PushKind, filter: PushFilter, now: number): Push {
  const componentAppId = filter.componentAppId ?? SAMPLE_COMPONENT;
  const account = filter.authorizerAppId ?? SAMPLE_ACCOUNT;
  const createTime = Math.floor(now / 1000);
  const names = NAMES[kind];
  const text = TEXTS[kind](componentAppId, account, createTime);
  return {
    id: uuidv7(),
    kind,
    componentAppId,
    authorizerAppId: account,
    ...names,
    fromUser: kind === 'authorization' ? null : SAMPLE_USER,
    createTime,
    receivedAt: now,
    fields: parseWechatXml(text),
    text,
    format: 'xml',
    problem: null,
  };
}

const NAMES: Record<PushKind, Pick<Push, 'infoType' | 'msgType' | 'event'>> = {
  authorization: { infoType: 'updateauthorized', msgType: null, event: null },
  message: { infoType: '', msgType: 'text', event: null },
  event: { infoType: '', msgType: 'event', event: 'subscribe' },
};

type SampleText = (component: string, account: string, createTime: number) => string;

const TEXTS: Record<PushKind, SampleText> = {
  authorization: (component, account, createTime) =>
    `<xml><AppId><![CDATA[${component}]]></AppId><CreateTime>${createTime}</CreateTime>` +
    '<InfoType><![CDATA[updateauthorized]]></InfoType>' +
    `<AuthorizerAppid><![CDATA[${account}]]></AuthorizerAppid></xml>`,
  message: (_, __, createTime) =>
    `${conversation(createTime)}<MsgType><![CDATA[text]]></MsgType>` +
    '<Content><![CDATA[A test of this subscription]]></Content>' +
    '<MsgId>1234567890123456</MsgId></xml>',
  event: (_, __, createTime) =>
    `${conversation(createTime)}<MsgType><![CDATA[event]]></MsgType>` +
    '<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[]]></EventKey></xml>',
};

function conversation(createTime: number): string {
  return (
    '<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>' +
    `<FromUserName><![CDATA[${SAMPLE_USER}]]></FromUserName>` +
    `<CreateTime>${createTime}</CreateTime>`
  );
}
