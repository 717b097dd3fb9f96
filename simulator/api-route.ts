import type { FakeComponent } from './fake-component.js';
import type { Pusher } from './pusher.js';
import type { TokenBook } from './token-book.js';
import { WechatError } from './wechat-error.js';

/** One call to api.weixin.qq.com, body read. */
export interface ApiCall {
  method: string;
  path: string;
  /** The raw query without `?`. */
  search: string;
  body: string;
}

/** What the routes share. */
export interface SimulatorContext {
  /** Unix milliseconds. */
  now(): number;
  readonly components: ReadonlyMap<string, FakeComponent>;
  /** component_access_tokens; the owner is the component appid. */
  readonly tokens: TokenBook;
  readonly pusher: Pusher;
}

/**
 * One API. The handler is synchronous on purpose: when `waitForCall` resolves, a call that is held
 * or cut after its effect has already had it. It throws `WechatError` to refuse.
 */
export interface ApiRoute {
  path: string;
  handle(call: ApiCall, context: SimulatorContext): object;
}

/** The JSON body of a POST as WeChat demands it: 43002, 44002 or 47001 otherwise. */
export function readJsonBody(call: ApiCall): Record<string, unknown> {
  if (call.method !== 'POST') throw new WechatError(43002);
  if (call.body === '') throw new WechatError(44002);
  const body = parseJson(call.body);
  if (typeof body !== 'object' || body === null) throw new WechatError(47001);
  return body as Record<string, unknown>;
}

/** A field that must be a non-empty string. */
export function requireField(body: Record<string, unknown>, name: string, errcode = 47001): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new WechatError(errcode);
}

/** The component whose appid and secret a body carries: 40013, 41004 or 40125 otherwise. */
export function requireComponent(
  body: Record<string, unknown>,
  secretField: 'component_appsecret' | 'component_secret',
  context: SimulatorContext,
): FakeComponent {
  const component = context.components.get(requireField(body, 'component_appid'));
  if (!component) throw new WechatError(40013);
  const secret = requireField(body, secretField, 41004);
  if (secret !== component.appsecret) throw new WechatError(40125);
  return component;
}

/** The appid whose component token the query carries; both parameter names are in use. */
export function requireTokenOwner(call: ApiCall, context: SimulatorContext): string {
  const query = new URLSearchParams(call.search);
  const token = query.get('access_token') || query.get('component_access_token');
  if (!token) throw new WechatError(41001);
  return context.tokens.ownerOf(token);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WechatError(47001);
  }
}
