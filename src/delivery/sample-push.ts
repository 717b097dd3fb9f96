import { v7 as uuidv7 } from 'uuid';
import type { Push, PushKind } from '../callback/push.js';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { TICKET_INFO_TYPE } from '../ticket/ticket.js';
import type { FormattedFilter } from '../subscription/subscription.js';

const SAMPLE_COMPONENT = 'wx0123456789abcdef';
const SAMPLE_ACCOUNT = 'wxfedcba9876543210';
const SAMPLE_USER = 'oSampleUser0123456789abcdefg';

/** What a sample is; a ticket is the one that an SDK's server waits for. */
type Sample = PushKind | 'ticket';

/**
 * A push such as WeChat sends, for trying out a subscription.
 * @param now Unix milliseconds.
 */
export function samplePush(kind: PushKind, filter: FormattedFilter, now: number): Push {
  const componentAppId = filter.componentAppId ?? SAMPLE_COMPONENT;
  const account = filter.authorizerAppId ?? SAMPLE_ACCOUNT;
  const createTime = Math.floor(now / 1000);
  const sample = kind === 'authorization' && filter.format === 'wechat' ? 'ticket' : kind;
  const names = NAMES[sample];
  const text = TEXTS[sample](componentAppId, account, createTime);
  return {
    id: uuidv7(),
    kind,
    componentAppId,
    authorizerAppId: sample === 'ticket' ? null : account,
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

const NAMES: Record<Sample, Pick<Push, 'infoType' | 'msgType' | 'event'>> = {
  authorization: { infoType: 'updateauthorized', msgType: null, event: null },
  ticket: { infoType: TICKET_INFO_TYPE, msgType: null, event: null },
  message: { infoType: '', msgType: 'text', event: null },
  event: { infoType: '', msgType: 'event', event: 'subscribe' },
};

type SampleText = (component: string, account: string, createTime: number) => string;

const TEXTS: Record<Sample, SampleText> = {
  authorization: (component, account, createTime) =>
    `<xml><AppId><![CDATA[${component}]]></AppId><CreateTime>${createTime}</CreateTime>` +
    '<InfoType><![CDATA[updateauthorized]]></InfoType>' +
    `<AuthorizerAppid><![CDATA[${account}]]></AuthorizerAppid></xml>`,
  ticket: (component, _, createTime) =>
    `<xml><AppId><![CDATA[${component}]]></AppId><CreateTime>${createTime}</CreateTime>` +
    `<InfoType><![CDATA[${TICKET_INFO_TYPE}]]></InfoType>` +
    '<ComponentVerifyTicket><![CDATA[ticket@@@sample]]></ComponentVerifyTicket></xml>',
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
