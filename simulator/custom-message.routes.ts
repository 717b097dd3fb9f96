import { readJsonBody, requireField, requireToken, type ApiRoute } from './api-route.js';
import { WechatError } from './wechat-error.js';

/** Longest text, in bytes; no page says it, developers report it. */
const MAX_TEXT_BYTES = 2048;
const OPENID_SHAPE = /^[\w-]{6,64}$/;

/** A customer message on behalf of an account: what its token is for, and a proof that it works. */
const sendCustomMessage: ApiRoute = {
  path: '/cgi-bin/message/custom/send',
  handle(call, { authorizers, customMessages, now }) {
    const authorization = authorizers.requireOwner(requireToken(call));
    const body = readJsonBody(call);
    const touser = requireField(body, 'touser', 40003);
    if (!OPENID_SHAPE.test(touser)) throw new WechatError(40003);
    const msgtype = requireField(body, 'msgtype');
    const { content } = (body['text'] ?? {}) as { content?: unknown };
    if (msgtype === 'text' && Buffer.byteLength(String(content)) > MAX_TEXT_BYTES) {
      throw new WechatError(45002, 'content size out of limit');
    }
    const { componentAppid: component, account } = authorization;
    customMessages.add({ component, account: account.appid, touser, msgtype, body, atMs: now() });
    return { errcode: 0, errmsg: 'ok' };
  },
};

/** The APIs that send messages for an account. */
export const customMessageRoutes: ApiRoute[] = [sendCustomMessage];
