import type { Push } from '../callback/push.js';
import { withoutEventSecrets, withoutTextSecrets } from '../callback/event-secrets.js';
import { isoTime, isoTimeOfSeconds } from '../common/times.js';
import type { SubscriptionFormat } from '../subscription/subscription.js';

/** Longest name in a header, in characters: with longer ones, a target refuses the whole push. */
const MAX_HEADER_TEXT = 64;

/** What a target is sent, signature aside. */
export interface PushBody {
  contentType: string;
  body: string;
  /** Headers of ours: what the body itself does not say. */
  headers: Record<string, string>;
}

/** `message.text`, `event.subscribe`, `authorization.authorized`: names in WeChat's spelling. */
export function pushType(push: Pick<Push, 'kind' | 'infoType' | 'msgType' | 'event'>) {
  const { kind, infoType, msgType, event } = push;
  const names = { authorization: infoType, message: msgType, event };
  return `${kind}.${names[kind] || 'unknown'}`;
}

/** A push as its subscriber wants it. */
export function pushBody(arrived: Push, format: Exclude<SubscriptionFormat, 'wechat'>): PushBody {
  const push = withoutCodes(arrived);
  return format === 'json' ? jsonBody(push) : rawBody(push);
}

function jsonBody(push: Push): PushBody {
  const { createTime, receivedAt } = push;
  const body = JSON.stringify({
    type: pushType(push),
    timestamp: isoTimeOfSeconds(createTime) ?? isoTime(receivedAt),
    data: {
      id: push.id,
      componentAppId: push.componentAppId,
      authorizerAppId: push.authorizerAppId ?? undefined,
      fromUserName: push.fromUser ?? undefined,
      createTime: createTime ?? undefined,
      msgType: push.msgType ?? undefined,
      event: push.event ?? undefined,
      infoType: push.infoType || undefined,
      fields: push.fields,
      raw: push.text,
      problem: push.problem ?? undefined,
    },
  });
  return { contentType: 'application/json', body, headers: {} };
}

function rawBody(push: Push): PushBody {
  const headers: Record<string, string> = {
    'x-hub-push-id': push.id,
    'x-hub-push-type': headerText(pushType(push)),
    'x-hub-component-appid': headerText(push.componentAppId),
  };
  if (push.authorizerAppId !== null) {
    headers['x-hub-authorizer-appid'] = headerText(push.authorizerAppId);
  }
  if (push.problem !== null) headers['x-hub-push-problem'] = push.problem;
  const contentType = push.format === 'xml' ? 'text/xml' : 'application/json';
  return { contentType: `${contentType}; charset=utf-8`, body: push.text, headers };
}

/**
 * Names come from WeChat, and may be anything: what a header can't hold is escaped, and half a
 * character, which can't be escaped, replaced.
 */
function headerText(text: string): string {
  const short = text.slice(0, MAX_HEADER_TEXT);
  if (/^[\x21-\x7e]*$/.test(short)) return short;
  return encodeURIComponent(short.replace(/[\ud800-\udfff]/gu, '\ufffd'));
}

/** A push as anybody may see it: tickets, and codes that the hub has used, are no one else's. */
export function withoutCodes(push: Push): Push {
  if (!mayHoldCodes(push)) return push;
  return { ...push, text: withoutTextSecrets(push), fields: withoutEventSecrets(push.fields) };
}

/** Whether there may be tickets and codes in it: it is an event of an authorization, or may be one. */
export function mayHoldCodes({ kind, fields, problem }: Push): boolean {
  // What could not be read whole may be an event that does not look like one.
  return kind === 'authorization' || 'InfoType' in fields || problem !== null;
}
