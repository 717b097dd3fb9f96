import { Injectable } from '@nestjs/common';
import { AuthorizationCodeService } from '../authorization/authorization-code.service.js';
import { AuthorizerUnknownError } from '../authorizer/authorizer.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { Secret } from '../common/secret.js';
import { SecretBox } from '../secrets/secret-box.js';
import { TicketPushService } from '../ticket/ticket-push.service.js';
import { TokenService } from '../token/token.service.js';
import type { GatewayAnswer } from './gateway.client.js';
import { GatewayService } from './gateway.service.js';
import { openCode, STAND_IN_SECONDS } from './stand-in.js';
import {
  askAsPlatform,
  requireAccount,
  requireAllAccounts,
  WxAccessService,
  type WxCaller,
} from './wx-access.service.js';
import { bodyOf, readAnswer, readBody, textOf, type WxAnswer, type WxCall } from './wx-call.js';
import { wxRefusal } from './wx-errors.js';

/** Largest page of api_get_authorizer_list. */
const MAX_PAGE = 500;

type Body = Record<string, unknown>;

/**
 * Calls of a platform's SDK that the hub answers: they would hand out credentials. Tickets and refresh
 * tokens that the SDK sends are not looked at; what its key may do is what counts.
 */
@Injectable()
export class WxPlatformService {
  constructor(
    private readonly access: WxAccessService,
    private readonly gateway: GatewayService,
    private readonly components: TokenService,
    private readonly accounts: AuthorizerStore,
    private readonly codes: AuthorizationCodeService,
    private readonly pushes: TicketPushService,
    private readonly box: SecretBox,
  ) {}

  /** `api_component_token`: from memory, however often. */
  async componentToken(call: WxCall): Promise<WxAnswer> {
    const { component_appid, component_appsecret } = await readBody(call);
    const secret = textOf(component_appsecret);
    const caller = await this.access.ofPlatform(textOf(component_appid), secret, call.address);
    await this.components.current(caller.componentAppId);
    const component_access_token = this.access.give('component', caller);
    return { json: { component_access_token, expires_in: STAND_IN_SECONDS } };
  }

  async startPushTicket(call: WxCall): Promise<WxAnswer> {
    const { component_appid, component_secret } = await readBody(call);
    const { address, url } = call;
    const secret = textOf(component_secret);
    const appid = textOf(component_appid);
    const caller = await this.access.ofPlatform(appid, secret, address, url.path);
    requireAllAccounts(caller);
    return { json: { errcode: 0, errmsg: await this.pushes.startPush(caller.componentAppId) } };
  }

  /**
   * `api_query_auth`, also of a code that the hub has exchanged, from the event or the page, and of
   * the stand-in for one.
   */
  async queryAuth(call: WxCall): Promise<WxAnswer> {
    const { caller, body } = await this.read(call);
    const { componentAppId } = caller;
    const given = textOf(body.authorization_code);
    const code = openCode(given, componentAppId, this.box) ?? new Secret(given);
    if (given === '') throw wxRefusal('authorization_code_refused', 'code is invalid');
    const id = await this.codes.consumeAgain({ componentAppId, code, source: 'redirect' });
    requireAccount(caller, id.authorizerAppId);
    const row = await this.accounts.find(id);
    const funcInfo = JSON.parse(row?.funcInfo ?? '[]') as number[];
    // An account without API rights has no tokens.
    const tokens = row?.refreshToken && (await this.tokensOf(caller, id.authorizerAppId));
    return {
      json: {
        authorization_info: {
          authorizer_appid: id.authorizerAppId,
          ...tokens,
          func_info: funcInfo.map((one) => ({ funcscope_category: { id: one } })),
        },
      },
    };
  }

  async authorizerToken(call: WxCall): Promise<WxAnswer> {
    const { caller, body } = await this.read(call);
    return { json: await this.tokensOf(caller, this.accountIn(body, caller)) };
  }

  /** `api_get_authorizer_info`: WeChat's answer with stand-ins for its tokens. */
  async authorizerInfo(call: WxCall): Promise<WxAnswer> {
    const { caller, body } = await this.read(call);
    const authorizerAppId = this.accountIn(body, caller);
    const answer = await this.ask(call, caller, { authorizer_appid: authorizerAppId });
    if (answer.errcode !== 0) return answer;
    const { authorization_info, ...info } = await readAnswer(answer);
    const authorization = { ...(authorization_info as Body | undefined) };
    const account = { ...caller, authorizerAppId };
    if (textOf(authorization.authorizer_access_token) !== '') {
      authorization.authorizer_access_token = this.access.give('account', account);
    }
    if (textOf(authorization.authorizer_refresh_token) !== '') {
      authorization.authorizer_refresh_token = this.access.give('refresh', account);
    }
    return { json: { ...info, authorization_info: authorization } };
  }

  /** `api_get_authorizer_list`: WeChat's, or of a limited key those of its accounts that are there. */
  async authorizerList(call: WxCall): Promise<WxAnswer> {
    const { caller, body } = await this.read(call);
    const { offset = 0, count = MAX_PAGE } = body;
    if (caller.key.authorizerAppIds !== null) {
      return { json: await this.listOfKey(caller, Number(offset), Number(count)) };
    }
    const answer = await this.ask(call, caller, { offset, count });
    if (answer.errcode !== 0) return answer;
    const whole = await readAnswer(answer);
    const list = (Array.isArray(whole.list) ? (whole.list as Body[]) : []).map((entry) => ({
      ...entry,
      ...('refresh_token' in entry && {
        refresh_token: this.refreshOf(caller, textOf(entry.authorizer_appid)),
      }),
    }));
    return { json: { ...whole, list } };
  }

  private async listOfKey(caller: WxCaller, offset: number, count: number): Promise<object> {
    const { componentAppId, key } = caller;
    const known = await this.accounts.accounts(componentAppId, key.authorizerAppIds ?? []);
    const live = [...known.values()].filter(({ status }) => status !== 'revoked');
    const page = live.slice(offset, offset + Math.min(count, MAX_PAGE));
    const list = page.map(({ authorizerAppId, lastAuthorizedAt }) => ({
      authorizer_appid: authorizerAppId,
      refresh_token: this.refreshOf(caller, authorizerAppId),
      auth_time: Math.floor((lastAuthorizedAt ?? 0) / 1000),
    }));
    return { total_count: live.length, list };
  }

  /** Who calls, by the stand-in in the query, and the body, which may name its platform. */
  private async read(call: WxCall): Promise<{ caller: WxCaller; body: Body }> {
    const { caller } = await this.access.ofComponent(call);
    const body = await readBody(call);
    const named = textOf(body.component_appid);
    if (named !== '' && named !== caller.componentAppId) {
      throw wxRefusal('component_unknown', 'invalid appid, the token is another platform’s');
    }
    return { caller, body };
  }

  private accountIn({ authorizer_appid }: Body, caller: WxCaller): string {
    const appid = textOf(authorizer_appid);
    if (appid === '') throw new AuthorizerUnknownError(appid);
    requireAccount(caller, appid);
    return appid;
  }

  private async tokensOf(caller: WxCaller, authorizerAppId: string): Promise<object> {
    const { token, expires_in } = await this.access.accountToken({ ...caller, authorizerAppId });
    return {
      authorizer_access_token: token,
      expires_in,
      authorizer_refresh_token: this.refreshOf(caller, authorizerAppId),
    };
  }

  private refreshOf(caller: WxCaller, authorizerAppId: string): string {
    return this.access.give('refresh', { ...caller, authorizerAppId });
  }

  /** Calls WeChat with the platform's token. */
  private ask(call: WxCall, caller: WxCaller, body: Body): Promise<GatewayAnswer> {
    return askAsPlatform(this.gateway, call, caller, {
      method: 'POST',
      path: call.url.path,
      query: '',
      body: bodyOf({ component_appid: caller.componentAppId, ...body }),
    });
  }
}
