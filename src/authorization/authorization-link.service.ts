import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { ComponentService } from '../component/component.service.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { ComponentCall } from '../token/component-call.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { VisitorLimit } from './authorization-limit.js';
import type { AuthorizationRequest } from './authorization-request.entity.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';
import { returnAddress } from './return-address.js';

/** 3: official accounts and mini programs. */
const DEFAULT_AUTH_TYPE = '3';

/** `pc`: a QR code to scan with a phone; `h5`: for a phone, within WeChat. */
export const LINK_KINDS = ['pc', 'h5'] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

/** WeChat's pages. */
const PAGES: Record<LinkKind, { url: string; query: Record<string, string>; hash: string }> = {
  pc: { url: 'https://mp.weixin.qq.com/cgi-bin/componentloginpage', query: {}, hash: '' },
  h5: {
    url: 'https://open.weixin.qq.com/wxaopen/safe/bindcomponent',
    query: { action: 'bindcomponent', no_scan: '1' },
    hash: '#wechat_redirect',
  },
};

/** What a link asks for. */
export interface LinkWish {
  componentAppId: string;
  /** WeChat's auth_type, 1 to 8. */
  authType?: string;
  /** Only this account; wins over `authType`. */
  bizAppId?: string;
  /** Ids of permission sets, joined with `|`. */
  categoryIdList?: string;
  /** Comes back to `returnTo` as it is. */
  state?: string;
  /** Address that the browser is sent to at the end; its origin must be on the allow list. */
  returnTo?: string;
}

/** The two links, each with a pre_auth_code of its own: WeChat takes one once. */
export interface AuthorizationLinks {
  pc: string;
  h5: string;
  /** Unix milliseconds. */
  expiresAt: number;
}

/** Makes authorization links and remembers where their return leads. */
@Injectable()
export class AuthorizationLinkService {
  private readonly clicks: VisitorLimit;

  constructor(
    private readonly components: ComponentService,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly requests: AuthorizationRequestStore,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    this.clicks = new VisitorLimit(clock);
  }

  /** Asks nothing of WeChat. @throws {HubError} 400 `return_to_not_allowed`, or of the platform. */
  async check({ componentAppId, returnTo }: LinkWish): Promise<void> {
    await this.components.getEnabled(componentAppId);
    if (returnTo !== undefined) this.checkReturnTo(returnTo);
  }

  /** Both links, for an administrator. @throws what `check` and the calls to WeChat throw. */
  async create(wish: LinkWish): Promise<AuthorizationLinks> {
    await this.check(wish);
    const [pc, h5] = await Promise.all([
      this.preAuthCode(wish.componentAppId),
      this.preAuthCode(wish.componentAppId),
    ]);
    // Each leads to one code, and each code has a request of its own.
    return {
      pc: this.link('pc', wish, pc.preAuthCode, await this.redirectUri(wish)),
      h5: this.link('h5', wish, h5.preAuthCode, await this.redirectUri(wish)),
      expiresAt: this.clock.now() + Math.min(pc.expiresIn, h5.expiresIn) * 1000,
    };
  }

  /**
   * The link that somebody has clicked on, with a code of its own.
   * @param address of the visitor.
   * @throws {TooManyAuthorizationsError} and what `create` throws.
   */
  async open(kind: LinkKind, wish: LinkWish, address: string): Promise<string> {
    await this.check(wish);
    this.clicks.count(wish.componentAppId, address);
    const { preAuthCode } = await this.preAuthCode(wish.componentAppId);
    return this.link(kind, wish, preAuthCode, await this.redirectUri(wish));
  }

  /** The request that a redirect came back with; undefined for an unknown one. */
  async request(componentAppId: string, id: string): Promise<AuthorizationRequest | undefined> {
    const row = await this.requests.find(id);
    return row?.componentAppId === componentAppId ? row : undefined;
  }

  /**
   * Where the browser that comes back for a request is sent on with a result's id; undefined where
   * the request names no address, or one that is no longer allowed.
   */
  returnOf({ returnTo }: AuthorizationRequest, resultId: string): string | undefined {
    const address = returnTo === null ? undefined : this.allowed(returnTo);
    if (address === undefined) return undefined;
    const url = new URL(address);
    url.searchParams.set('result_id', resultId);
    return url.href;
  }

  private allowed(returnTo: string): string | undefined {
    return returnAddress(returnTo, this.config.authorizationReturnOrigins);
  }

  private checkReturnTo(returnTo: string): void {
    if (this.allowed(returnTo) !== undefined) return;
    throw new HubError(
      'return_to_not_allowed',
      'returnTo, or return_to in a query, is no plain http(s) address of an origin in ' +
        'AUTHORIZATION_RETURN_ORIGINS',
      { status: 400 },
    );
  }

  private preAuthCode(appid: string): Promise<{ preAuthCode: string; expiresIn: number }> {
    return this.calls.run(appid, (token) => this.api.createPreAuthCode(appid, token));
  }

  private async redirectUri({ componentAppId, returnTo, state }: LinkWish): Promise<string> {
    const values = { componentAppId, returnTo: returnTo ?? null, state: state ?? null };
    const id = await this.requests.add(values);
    return `${this.config.publicUrl}/authorize/${componentAppId}/callback?request=${id}`;
  }

  private link(kind: LinkKind, wish: LinkWish, preAuthCode: string, redirectUri: string): string {
    const { url, query: fixed, hash } = PAGES[kind];
    const query = new URLSearchParams({
      ...fixed,
      component_appid: wish.componentAppId,
      pre_auth_code: preAuthCode,
      redirect_uri: redirectUri,
      auth_type: wish.authType ?? DEFAULT_AUTH_TYPE,
      ...(wish.bizAppId && { biz_appid: wish.bizAppId }),
      ...(wish.categoryIdList && { category_id_list: wish.categoryIdList }),
    });
    return `${this.pageBase(url)}?${query.toString()}${hash}`;
  }

  /** WeChat's own hosts, unless the API is somebody else's (a simulator): then that host's. */
  private pageBase(page: string): string {
    const { baseUrl } = this.config.wechatApi;
    return baseUrl === 'https://api.weixin.qq.com' ? page : baseUrl + new URL(page).pathname;
  }
}
