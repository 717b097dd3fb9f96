import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Secret } from '../common/secret.js';
import { secondsLeft } from '../token/token.views.js';
import type { GatewayAnswer } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { JS_TICKET_TYPES, JsTicketService } from './js-ticket.service.js';
import {
  askAsPlatform,
  requireAccount,
  WxAccessService,
  type WxCaller,
} from './wx-access.service.js';
import { readAnswer, textOf, type WxAnswer, type WxCall } from './wx-call.js';
import { queryEntries } from './wechat-url.js';
import { wxRefusal } from './wx-errors.js';

/** WeChat's page on which a user consents; links to it are for browsers. */
const CONSENT_PAGE = 'https://open.weixin.qq.com/connect/oauth2/authorize';
/** Credentials of the caller's, and what the hub puts in. */
const NOT_HANDED_ON = ['secret', 'access_token', 'component_access_token', 'component_appid'];

/**
 * What pages and mini programs of an account need. Their SDKs know nothing of platforms: what they
 * ask with the account's secret is asked with the platform's token, by the path that WeChat has for it.
 */
@Injectable()
export class WxWebService {
  constructor(
    private readonly access: WxAccessService,
    private readonly gateway: GatewayService,
    private readonly tickets: JsTicketService,
    private readonly clock: Clock,
  ) {}

  /** `cgi-bin/ticket/getticket`: one ticket for all, with what is left of its life. */
  async ticket({ query, url, address }: WxCall): Promise<WxAnswer> {
    const { standIn } = await this.access.ofStandIn(query.token?.value, address, url.path);
    const { kind, componentAppId, authorizerAppId } = standIn;
    const type = JS_TICKET_TYPES.find((one) => one === query.fields.type);
    if (kind !== 'account' || authorizerAppId === undefined) {
      throw wxRefusal('stand_in_forged', 'invalid credential, it is no token of an account', 401);
    }
    if (!type) throw wxRefusal('bad_type', 'invalid args: type is jsapi or wx_card');
    const state = await this.tickets.current({ componentAppId, authorizerAppId }, type);
    const expires_in = secondsLeft(state, this.clock.now());
    return { json: { errcode: 0, errmsg: 'ok', ticket: state.token.reveal(), expires_in } };
  }

  /** `sns/jscode2session`, also in its component form. */
  async session(call: WxCall): Promise<WxAnswer> {
    return this.ask(call, await this.callerOf(call), 'sns/component/jscode2session');
  }

  /** `sns/oauth2/access_token`, also in its component form: the user's tokens as stand-ins. */
  async userTokens(call: WxCall): Promise<WxAnswer> {
    const caller = await this.callerOf(call);
    const answer = await this.ask(call, caller, 'sns/oauth2/component/access_token');
    return this.withStandIns(answer, caller);
  }

  /** `sns/oauth2/refresh_token`, also in its component form: the stand-in says who asks. */
  async refreshedUserTokens(call: WxCall): Promise<WxAnswer> {
    const { query, url, address } = call;
    const given = query.fields.refresh_token;
    const { standIn, caller } = await this.access.ofStandIn(given, address, url.path);
    if (standIn.kind !== 'user_refresh' || !standIn.token) {
      throw wxRefusal('user_refresh_token_forged', 'invalid refresh_token');
    }
    const path = 'sns/oauth2/component/refresh_token';
    const changed = { refresh_token: standIn.token.reveal() };
    return this.withStandIns(await this.ask(call, caller, path, changed), caller);
  }

  /** `connect/oauth2/authorize`: WeChat's page, with the platform named. It is open to anybody. */
  async consentPage({ query }: WxCall): Promise<WxAnswer> {
    const componentAppId = await this.access.platformForAnybody(query.fields.appid ?? '');
    const parts = query.rest.split('&').filter((part) => {
      const [[name] = ['']] = queryEntries(part);
      return !NOT_HANDED_ON.includes(name.toLowerCase());
    });
    const handedOn = [...parts, `component_appid=${componentAppId}`].join('&');
    return { location: `${CONSENT_PAGE}?${handedOn}#wechat_redirect` };
  }

  /** An account's SDK by its secret, a platform's by its token and the account that it names. */
  private async callerOf(call: WxCall): Promise<WxCaller> {
    const { query, url, address } = call;
    const { appid = '', secret = '' } = query.fields;
    if (!query.token) return this.access.ofAccount(appid, secret, address, url.path);
    const { caller } = await this.access.ofComponent(call);
    requireAccount(caller, appid);
    return { ...caller, authorizerAppId: appid };
  }

  /** Calls WeChat with the platform's token and what the query says of the user. */
  private async ask(
    call: WxCall,
    caller: WxCaller,
    path: string,
    changed: Record<string, string> = {},
  ): Promise<GatewayAnswer> {
    const fields = Object.entries(call.query.fields).filter(
      ([name]) => !NOT_HANDED_ON.includes(name),
    );
    const all = {
      ...Object.fromEntries(fields),
      component_appid: caller.componentAppId,
      ...changed,
    };
    return askAsPlatform(this.gateway, call, caller, {
      method: 'GET',
      path,
      query: new URLSearchParams(all).toString(),
      body: undefined,
    });
  }

  /** WeChat's own tokens of a user go out sealed: with them anybody could call in the user's name. */
  private async withStandIns(answer: GatewayAnswer, caller: WxCaller): Promise<GatewayAnswer> {
    if (answer.errcode !== 0) return answer;
    const { access_token, refresh_token, ...rest } = await readAnswer(answer);
    const seal = (kind: 'user' | 'user_refresh', token: unknown): string | undefined =>
      textOf(token) === '' ? undefined : this.access.give(kind, caller, new Secret(textOf(token)));
    const shown = {
      access_token: seal('user', access_token),
      refresh_token: seal('user_refresh', refresh_token),
      ...rest,
    };
    const body = Buffer.from(JSON.stringify(shown));
    return { ...answer, body, headers: { ...answer.headers, 'content-length': `${body.length}` } };
  }
}
