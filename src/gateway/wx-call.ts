import { Readable } from 'node:stream';
import { HubError } from '../common/hub-error.js';
import { exactNumber, parseLenientJson } from '../common/lenient-json.js';
import { isTokenRefusal, type GatewayAnswer, type GatewayCall } from './gateway.client.js';
import type { TokenQuery, WechatUrl } from './wechat-url.js';
import { wxRefusal } from './wx-errors.js';

/** Longest body that the hub reads itself, in bytes. */
const READ_BYTES = 64 * 1024;
/** Milliseconds within which it must have come. */
const READ_MS = 10_000;
/** Longest answer that it reads, in bytes. */
const ANSWER_BYTES = 4 * 1024 * 1024;

/** A request to the drop-in address. */
export interface WxCall extends Pick<GatewayCall, 'method' | 'headers' | 'waiting'> {
  url: WechatUrl;
  query: TokenQuery;
  /** The sender's. */
  address: string;
  body: Readable | undefined;
}

/** JSON of the hub's own, a page that a browser is sent to, or what WeChat answered. */
export type WxAnswer = { json: object } | { location: string } | GatewayAnswer;

/** A body as bytes, for those who look into it and hand it on. @throws {HubError} 413 `body_too_large` */
export async function bytesOf({ body }: Pick<WxCall, 'body'>): Promise<Buffer> {
  // It may come from a stranger: the secret is in it.
  const late = setTimeout(() => body?.destroy(wxRefusal('body_late', 'empty post data')), READ_MS);
  try {
    return await collect(body ?? [], READ_BYTES);
  } finally {
    clearTimeout(late);
  }
}

/**
 * A body as JSON, whatever its type says. One that names a thing twice is refused: WeChat might mean
 * the other.
 * @throws {HubError} 413 `body_too_large`, 400 `bad_json`
 */
export async function readBody(call: Pick<WxCall, 'body'>): Promise<Record<string, unknown>> {
  return parsed(await bytesOf(call), () => {
    throw new SyntaxError('A name comes twice');
  });
}

/** A value that is no text counts as none: SDKs send null. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A body that the hub makes. */
export function bodyOf(value: object | Buffer): Readable {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
  return Readable.from(bytes.length > 0 ? [bytes] : []);
}

/**
 * What WeChat answered, to be changed before it goes on: whole numbers of any length stay what they
 * are.
 */
export async function readAnswer({ body }: GatewayAnswer): Promise<Record<string, unknown>> {
  return parsed(Buffer.isBuffer(body) ? body : await collect(body, ANSWER_BYTES));
}

/**
 * WeChat's word about a token is for the hub: an SDK that hears it fetches the same again. It goes on
 * where another try helps: the token was replaced, and the body is gone.
 * @throws {HubError} 503 `token_refused`
 */
export function withoutTokenRefusal(answer: GatewayAnswer): GatewayAnswer {
  const { errcode, attempts, refreshed, body } = answer;
  if (!isTokenRefusal(errcode) || (refreshed && attempts === 1)) return answer;
  if (!Buffer.isBuffer(body)) body.destroy();
  throw new HubError('token_refused', 'system error: WeChat refuses the tokens that it gives', {
    status: 503,
    details: { errcode },
  });
}

async function collect(
  stream: AsyncIterable<unknown> | Iterable<unknown>,
  limit: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += (chunk as Buffer).length;
    if (length > limit) throw wxRefusal('body_too_large', 'content size out of limit', 413);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function parsed(bytes: Buffer, onDuplicateKey?: () => never): Record<string, unknown> {
  const text = bytes.toString('utf8');
  if (text.trim() === '') return {};
  try {
    const value = parseLenientJson(text, exactNumber, onDuplicateKey);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Refused below.
  }
  throw wxRefusal('bad_json', 'data format error');
}
