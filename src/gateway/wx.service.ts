import { Injectable } from '@nestjs/common';
import type { GatewayAnswer } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import type { StandIn } from './stand-in.js';
import { readTokenQuery, refuseKept, type WechatUrl } from './wechat-url.js';
import {
  requireAccount,
  requireAllAccounts,
  WxAccessService,
  type WxCaller,
} from './wx-access.service.js';
import {
  bodyOf,
  bytesOf,
  readBody,
  textOf,
  withoutTokenRefusal,
  type WxAnswer,
  type WxCall,
} from './wx-call.js';
import { WxPlatformService } from './wx-platform.service.js';
import { WxWebService } from './wx-web.service.js';
import { wxRefusal } from './wx-errors.js';

/** Paths that want a user's token, and no other path does. */
const OF_USER = /^sns\/(?:userinfo|auth)$/i;

/** Paths that are about the account in their body. */
const NAMES_ACCOUNT = /^cgi-bin\/component\/api_[gs]et_authorizer_option$/i;

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
    'cgi-bin/ticket/getticket': (call) => this.web.ticket(call),
    'sns/jscode2session': (call) => this.web.session(call),
    'sns/component/jscode2session': (call) => this.web.session(call),
    'sns/oauth2/access_token': (call) => this.web.userTokens(call),
    'sns/oauth2/component/access_token': (call) => this.web.userTokens(call),
    'sns/oauth2/refresh_token': (call) => this.web.refreshedUserTokens(call),
    'sns/oauth2/component/refresh_token': (call) => this.web.refreshedUserTokens(call),
    'connect/oauth2/authorize': (call) => this.web.consentPage(call),
    'cgi-bin/component/api_component_token': (call) => this.platforms.componentToken(call),
    'cgi-bin/component/api_start_push_ticket': (call) => this.platforms.startPushTicket(call),
    'cgi-bin/component/api_query_auth': (call) => this.platforms.queryAuth(call),
    'cgi-bin/component/api_authorizer_token': (call) => this.platforms.authorizerToken(call),
    'cgi-bin/component/api_get_authorizer_info': (call) => this.platforms.authorizerInfo(call),
    'cgi-bin/component/api_get_authorizer_list': (call) => this.platforms.authorizerList(call),
  };

  constructor(
    private readonly access: WxAccessService,
    private readonly platforms: WxPlatformService,
    private readonly web: WxWebService,
    private readonly gateway: GatewayService,
  ) {}

  /** @throws {HubError} */
  answer(request: Omit<WxCall, 'query'>): Promise<WxAnswer> {
    const call = { ...request, query: readTokenQuery(request.url.query) };
    const route = this.routes[request.url.path.toLowerCase()];
    if (route) return route(call);
    refuseKept(request.url);
    return this.forward(call);
  }

  /** Any other call: the stand-in is replaced, the rest goes on as it came. */
  private async forward(call: WxCall): Promise<GatewayAnswer> {
    const { query, url, address } = call;
    const { standIn, caller } = await this.access.ofStandIn(query.token?.value, address, url.path);
    if ((standIn.kind === 'user') !== OF_USER.test(url.path)) {
      throw wxRefusal('stand_in_forged', 'invalid credential, the token is of another kind', 401);
    }
    const checked = standIn.kind === 'component' ? await withinAccounts(call, caller) : call;
    return this.call(checked, standIn, { ...url, query: query.rest });
  }

  /** Calls WeChat with what a stand-in stands for. */
  private async call(
    { method, headers, body, waiting, query }: WxCall,
    { keyId, kind, token, componentAppId, authorizerAppId }: StandIn,
    url: WechatUrl,
  ): Promise<GatewayAnswer> {
    const parameter = query.token?.parameter ?? 'access_token';
    const actor = `key:${keyId}`;
    const call = { actor, method, headers, body, waiting, parameter, ...url };
    const owner = { componentAppId, authorizerAppId };
    if (kind === 'user' && token) {
      // The user's own: the hub has no other one.
      const tokens = { current: async () => ({ token }), replace: async () => ({ token }) };
      return this.gateway.call(owner, call, tokens);
    }
    if (kind !== 'component' && kind !== 'account') {
      throw wxRefusal('stand_in_forged', 'invalid credential, it is no access token', 401);
    }
    return withoutTokenRefusal(await this.gateway.call(owner, call));
  }

  /** `GET cgi-bin/token` and `POST cgi-bin/stable_token`; a forced refresh would only end others' tokens. */
  private async accountToken(
    { address }: WxCall,
    { appid, secret }: Record<string, unknown>,
  ): Promise<WxAnswer> {
    const caller = await this.access.ofAccount(textOf(appid), textOf(secret), address);
    const { token, expires_in } = await this.access.accountToken(caller);
    return { json: { access_token: token, expires_in } };
  }
}

/**
 * A call with a platform's token by a key that is limited to accounts: only where WeChat goes by the
 * account that the body names.
 * @throws {HubError} 403 `not_allowed`, `account_not_allowed`
 */
async function withinAccounts(call: WxCall, caller: WxCaller): Promise<WxCall> {
  if (caller.key.authorizerAppIds === null) return call;
  if (!NAMES_ACCOUNT.test(call.url.path)) requireAllAccounts(caller);
  const bytes = await bytesOf(call);
  const { authorizer_appid } = await readBody({ body: bodyOf(bytes) });
  requireAccount(caller, textOf(authorizer_appid));
  return { ...call, body: bodyOf(bytes) };
}
