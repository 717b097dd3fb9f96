import type { Authorization } from './authorization.js';
import type { AuthorizerBook } from './authorizer-book.js';
import type { CustomMessageLog } from './call-log.js';
import type { ComponentBook } from './component-book.js';
import type { FakeComponent } from './fake-component.js';
import type { Pusher } from './pusher.js';
import type { TokenBook } from './token-book.js';
import type { MediaBook } from './media-book.js';
import type { QuotaBook } from './quota-book.js';
import type { WebBook } from './web-book.js';
import { WechatError } from './wechat-error.js';

/** One call to api.weixin.qq.com, body read. */
export interface ApiCall {
  method: string;
  path: string;
  /** The raw query without `?`. */
  search: string;
  contentType: string;
  bytes: Buffer;
  /** The same as text. */
  readonly body: string;
}

/** An answer that is a file and no JSON. */
export class FileAnswer {
  constructor(
    readonly contentType: string,
    readonly name: string,
    readonly bytes: Buffer,
  ) {}
}

/** What the routes share. */
export interface SimulatorContext {
  /** Unix milliseconds. */
  now(): number;
  readonly components: ComponentBook;
  /** component_access_tokens; the owner is the component appid. */
  readonly tokens: TokenBook;
  readonly pusher: Pusher;
  /** Accounts, their authorizations and authorizer_access_tokens. */
  readonly authorizers: AuthorizerBook;
  readonly customMessages: CustomMessageLog;
  readonly media: MediaBook;
  readonly quota: QuotaBook;
  readonly web: WebBook;
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
  const component = context.components.find(requireField(body, 'component_appid'));
  if (!component) throw new WechatError(40013);
  const secret = requireField(body, secretField, 41004);
  if (secret !== component.appsecret) throw new WechatError(40125);
  return component;
}

/** What a token is made of; anything else is refused as 40014 where a component token is due. */
const TOKEN_SHAPE = /^\d\d_[\w-]{147}$/;

/** The token in the query: both parameter names are in use, and 41001 without one. */
export function requireToken(call: ApiCall): string {
  const query = new URLSearchParams(call.search);
  const token = query.get('access_token') || query.get('component_access_token');
  if (!token) throw new WechatError(41001);
  return token;
}

/** The appid whose working token the query carries, a component's or an authorizer's. */
export function requireTokenOwner(call: ApiCall, context: SimulatorContext): string {
  const token = requireToken(call);
  if (!context.authorizers.ownerOf(token)) return context.tokens.ownerOf(token);
  return context.authorizers.requireOwner(token).account.appid;
}

/** The component whose token the query carries: 41001, 40014, 61014, 40001 or 42001 otherwise. */
export function requireComponentToken(call: ApiCall, context: SimulatorContext): FakeComponent {
  const token = requireToken(call);
  if (!TOKEN_SHAPE.test(token)) throw new WechatError(40014);
  if (context.authorizers.ownerOf(token)) throw new WechatError(61014);
  const component = context.components.find(context.tokens.ownerOf(token));
  if (!component) throw new WechatError(40001);
  return component;
}

/** A POST with a component's token and its own `component_appid`: 40013 for that of another. */
export function readComponentBody(
  call: ApiCall,
  context: SimulatorContext,
): { component: FakeComponent; body: Record<string, unknown> } {
  const component = requireComponentToken(call, context);
  const body = readJsonBody(call);
  if (requireField(body, 'component_appid') !== component.appid) throw new WechatError(40013);
  return { component, body };
}

/** The authorization that `authorizer_appid` names: 40013 without such an account, else 61003. */
export function requireAuthorization(
  body: Record<string, unknown>,
  componentAppid: string,
  context: SimulatorContext,
): Authorization {
  const appid = requireField(body, 'authorizer_appid');
  if (!context.authorizers.accounts.has(appid)) throw new WechatError(40013);
  const authorization = context.authorizers.find(componentAppid, appid);
  if (!authorization) throw new WechatError(61003);
  return authorization;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WechatError(47001);
  }
}
