import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { ComponentService } from '../component/component.service.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { ComponentCall } from '../token/component-call.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { AuthorizationRequest } from './authorization-request.entity.js';

const PC_PAGE = 'https://mp.weixin.qq.com/cgi-bin/componentloginpage';
const H5_PAGE = 'https://open.weixin.qq.com/wxaopen/safe/bindcomponent';
/** 3: official accounts and mini programs. */
const DEFAULT_AUTH_TYPE = '3';

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
  constructor(
    private readonly components: ComponentService,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly database: Database,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** @throws {HubError} 400 `return_to_not_allowed`, or what the calls to WeChat throw. */
  async create(wish: LinkWish): Promise<AuthorizationLinks> {
    const { componentAppId } = wish;
    await this.components.getEnabled(componentAppId);
    if (wish.returnTo !== undefined) this.checkReturnTo(wish.returnTo);
    const [pc, h5] = await Promise.all([
      this.preAuthCode(componentAppId),
      this.preAuthCode(componentAppId),
    ]);
    const redirectUri = await this.redirectUri(wish);
    return {
      pc: this.link(PC_PAGE, {}, wish, pc.preAuthCode, redirectUri),
      h5:
        this.link(
          H5_PAGE,
          { action: 'bindcomponent', no_scan: '1' },
          wish,
          h5.preAuthCode,
          redirectUri,
        ) + '#wechat_redirect',
      expiresAt: this.clock.now() + Math.min(pc.expiresIn, h5.expiresIn) * 1000,
    };
  }

  /** The request that a redirect came back with; undefined for an unknown one. */
  async request(componentAppId: string, id: string): Promise<AuthorizationRequest | undefined> {
    const row = await this.database.read((manager) =>
      manager.findOneBy(AuthorizationRequest, { id, componentAppId }),
    );
    return row ?? undefined;
  }

  private checkReturnTo(returnTo: string): void {
    const origin = URL.canParse(returnTo) ? new URL(returnTo).origin : undefined;
    if (origin !== undefined && this.config.authorizationReturnOrigins.includes(origin)) return;
    throw new HubError(
      'return_to_not_allowed',
      'The origin of return_to is not in AUTHORIZATION_RETURN_ORIGINS',
      { status: 400 },
    );
  }

  private preAuthCode(appid: string): Promise<{ preAuthCode: string; expiresIn: number }> {
    return this.calls.run(appid, (token) => this.api.createPreAuthCode(appid, token));
  }

  private async redirectUri({ componentAppId, returnTo, state }: LinkWish): Promise<string> {
    const id = randomUUID();
    await this.database.transaction((manager) =>
      manager.insert(AuthorizationRequest, {
        id,
        componentAppId,
        returnTo: returnTo ?? null,
        state: state ?? null,
        createdAt: this.clock.now(),
      }),
    );
    return `${this.config.publicUrl}/authorize/${componentAppId}/callback?request=${id}`;
  }

  private link(
    page: string,
    fixed: Record<string, string>,
    wish: LinkWish,
    preAuthCode: string,
    redirectUri: string,
  ): string {
    const query = new URLSearchParams({
      ...fixed,
      component_appid: wish.componentAppId,
      pre_auth_code: preAuthCode,
      redirect_uri: redirectUri,
      auth_type: wish.authType ?? DEFAULT_AUTH_TYPE,
      ...(wish.bizAppId && { biz_appid: wish.bizAppId }),
      ...(wish.categoryIdList && { category_id_list: wish.categoryIdList }),
    });
    return `${this.pageBase(page)}?${query.toString()}`;
  }

  /** WeChat's own hosts, unless the API is somebody else's (a simulator): then that host's. */
  private pageBase(page: string): string {
    const { baseUrl } = this.config.wechatApi;
    return baseUrl === 'https://api.weixin.qq.com' ? page : baseUrl + new URL(page).pathname;
  }
}
