import { FileAnswer, requireToken, type ApiCall, type ApiRoute } from './api-route.js';
import type { Media } from './media-book.js';
import { WechatError } from './wechat-error.js';

const TYPES = ['image', 'voice', 'video', 'thumb'];

/** The part of a multipart body that is named `media`: 41005 without one that has a file name. */
function mediaPart({ contentType, bytes }: ApiCall): Omit<Media, 'account'> {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (boundary === undefined) throw new WechatError(41005);
  const delimiter = Buffer.from(`--${boundary}`);
  for (let at = bytes.indexOf(delimiter); at >= 0;) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    const next = bytes.indexOf(`\r\n--${boundary}`, headEnd);
    if (headEnd < 0 || next < 0) break;
    const head = bytes.subarray(at + delimiter.length, headEnd).toString('utf8');
    const name = /filename="([^"]*)"/i.exec(head)?.[1];
    if (/name="media"/i.test(head) && name !== undefined) {
      const type = /content-type:\s*(\S+)/i.exec(head)?.[1] ?? 'application/octet-stream';
      return { contentType: type, name, bytes: bytes.subarray(headEnd + 4, next) };
    }
    at = next + 2;
  }
  throw new WechatError(41005);
}

const upload: ApiRoute = {
  path: '/cgi-bin/media/upload',
  handle(call, { authorizers, media, now }) {
    const { account } = authorizers.requireOwner(requireToken(call));
    const type = new URLSearchParams(call.search).get('type') ?? '';
    if (!TYPES.includes(type)) throw new WechatError(40004);
    const id = media.add({ ...mediaPart(call), account: account.appid });
    return { type, media_id: id, created_at: Math.floor(now() / 1000) };
  },
};

const get: ApiRoute = {
  path: '/cgi-bin/media/get',
  handle(call, { authorizers, media }) {
    const { account } = authorizers.requireOwner(requireToken(call));
    const id = new URLSearchParams(call.search).get('media_id') ?? '';
    const found = media.find(id, account.appid);
    if (!found) throw new WechatError(40007);
    return new FileAnswer(found.contentType, found.name, found.bytes);
  },
};

/** Files of an account. */
export const mediaRoutes: ApiRoute[] = [upload, get];
