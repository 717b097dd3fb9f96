import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { HubError } from '../common/hub-error.js';
import { isTokenRefusal, type GatewayAnswer, type GatewayCall } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { STAND_IN_SECONDS, type StandIn } from './stand-in.js';
import { readTokenQuery, refuseKept, type TokenQuery, type WechatUrl } from './wechat-url.js';
import { WxAccessService } from './wx-access.service.js';
import { wxRefusal } from './wx-errors.js';

/** Longest body that the hub reads itself, in bytes. */
const READ_BYTES = 64 * 1024;

/** A request to the drop-in address, as far as its head says. */
export interface WxRequest extends Pick<GatewayCall, 'method' | 'headers' | 'signal'> {
  url: WechatUrl;
  /** The sender's. */
  address: string;
  body: Readable | undefined;
  ended: Promise<void>;
}

/** A request with its query taken apart. */
interface WxCall extends WxRequest {
  query: TokenQuery;
}

/** JSON of the hub's own, or what WeChat answered. */
export type WxAnswer = { json: object } | GatewayAnswer;

type Route = (call: WxCall) => Promise<WxAnswer>;

/**
 * The drop-in address: WeChat's API for SDKs whose secret is an API key. Tokens are given as
 * stand-ins and taken back as such; each other call goes on with the real token.
 */
@Injectable()
export class WxService {
  /** Paths that the hub answers, or that it calls by another name. */
  private readonly routes: Record<string, Route> = {
    'cgi-bin/token': (call) => this.accountToken(call, call.query.fields),
    'cgi-bin/stable_token': async (call) => this.accountToken(call, await readBody(call)),
  };

  constructor(
    private readonly access: WxAccessService,
    private readonly gateway: GatewayService,
    private readonly authorizers: AuthorizerTokenService,
  ) {}

  /** @throws {HubError} */
  answer(request: WxRequest): Promise<WxAnswer> {
    const call = { ...request, query: readTokenQuery(request.url.query) };
    const route = this.routes[request.url.path.toLowerCase()];
    if (route) return route(call);
    refuseKept(request.url);
    return this.forward(call);
  }

  /** Any other call: the stand-in is replaced, the rest goes on as it came. */
  private async forward(call: WxCall): Promise<GatewayAnswer> {
    const { query, url, address } = call;
    const { standIn } = await this.access.ofStandIn(query.token?.value, address, url.path);
    return this.call(call, standIn, { ...url, query: query.rest });
  }

  /** Calls WeChat with what a stand-in stands for. */
  private async call(
    { method, headers, body, signal, ended, query }: WxCall,
    { kind, token, componentAppId, authorizerAppId }: StandIn,
    url: WechatUrl,
  ): Promise<GatewayAnswer> {
    const parameter = query.token?.parameter ?? 'access_token';
    const call = { method, headers, body, signal, parameter, ...url };
    const owner = { componentAppId, authorizerAppId };
    if (kind === 'user' && token) {
      // The user's own: the hub has no other one.
      const tokens = { current: async () => ({ token }), replace: async () => ({ token }) };
      return this.gateway.call(owner, call, ended, tokens);
    }
    if (kind !== 'component' && kind !== 'account') {
      throw wxRefusal('stand_in_forged', 'invalid credential, it is no access token', 401);
    }
    return withoutTokenRefusal(await this.gateway.call(owner, call, ended));
  }

  /** `GET cgi-bin/token` and `POST cgi-bin/stable_token`; a forced refresh would only end others' tokens. */
  private async accountToken(
    { address }: WxCall,
    { appid, secret }: Record<string, unknown>,
  ): Promise<WxAnswer> {
    const caller = await this.access.ofAccount(textOf(appid), textOf(secret), address);
    await this.authorizers.current(caller.authorizerAppId, caller.componentAppId);
    const access_token = this.access.give('account', caller);
    return { json: { access_token, expires_in: STAND_IN_SECONDS } };
  }
}

/**
 * WeChat's word about a token is for the hub: an SDK that hears it fetches the same again. It goes on
 * where another try helps: the token was replaced, and the body is gone.
 */
function withoutTokenRefusal(answer: GatewayAnswer): GatewayAnswer {
  const { errcode, attempts, refreshed, body } = answer;
  if (!isTokenRefusal(errcode) || (refreshed && attempts === 1)) return answer;
  if (!Buffer.isBuffer(body)) body.destroy();
  throw new HubError('token_refused', 'system error: WeChat refuses the tokens that it gives', {
    status: 503,
    details: { errcode },
  });
}

/** A body as JSON, whatever its type says. @throws {HubError} 413 `body_too_large`, 400 `bad_json` */
async function readBody({ body }: WxCall): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += (chunk as Buffer).length;
    if (length > READ_BYTES) throw wxRefusal('body_too_large', 'content size out of limit', 413);
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Refused below.
  }
  throw wxRefusal('bad_json', 'data format error');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
