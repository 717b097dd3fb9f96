import type { components } from '../data/api-types';

type Push = components['schemas']['EventDetail'];

/** A text as one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The request of the format `json` for a push, as a command for a shell, to try a service out.
 * It is not signed: the secret is not known here.
 */
export function curlOf(push: Push, url = 'http://127.0.0.1:8080/wechat'): string {
  const { id, componentAppId, authorizerAppId, fromUser, msgType, event, infoType, raw } = push;
  const type = push.kind === 'authorization' ? infoType : (event ?? msgType);
  const body = {
    type: `${push.kind}.${type}`,
    timestamp: push.receivedAt,
    data: {
      id,
      componentAppId,
      authorizerAppId,
      ...(fromUser && { fromUserName: fromUser }),
      ...(push.createTime && { createTime: Date.parse(push.createTime) / 1000 }),
      ...(msgType && { msgType }),
      ...(event && { event }),
      ...(infoType && { infoType }),
      fields: push.fields,
      raw,
    },
  };
  return [
    `curl -X POST ${quoted(url)}`,
    `-H 'content-type: application/json'`,
    `--data-raw ${quoted(JSON.stringify(body))}`,
  ].join(' \\\n  ');
}
