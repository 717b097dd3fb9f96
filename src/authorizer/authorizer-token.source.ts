import { Inject, Injectable } from '@nestjs/common';
import type { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { ComponentCall } from '../token/component-call.js';
import type { Exchange, Inputs, TokenSource } from '../token-engine/token-source.js';
import type { FreshToken } from '../token-engine/token.store.js';
import type { TokenState } from '../token-engine/token-state.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { isRefusal } from '../wechat-api/first-accepted.js';
import type { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { Authorizer } from './authorizer.entity.js';
import {
  AuthorizerRevokedError,
  AuthorizerSuspendedError,
  AuthorizerUnknownError,
  authorizerOfKey,
  NeedsReauthorizationError,
  NoApiRightsError,
  type AuthorizerId,
} from './authorizer.js';
import { AuthorizerPauses } from './authorizer-pauses.js';
import { stopped, type Account, type Change } from './authorizer-transitions.js';
import { AuthorizerStore } from './authorizer.store.js';

/** The engine's state with the columns of an authorizer's row. */
export type AuthorizerState = TokenState & Partial<Authorizer>;

/** What a refresh was begun with. */
interface Begun {
  id: AuthorizerId;
  /** What it finds out about the authorization counts only while this is the current one. */
  generation: number;
  refreshToken: Secret;
}

/**
 * Gets an authorizer_access_token for a refresh token. Where WeChat calls the refresh token void
 * (61023), or the stored one cannot be read, the one that WeChat has on record is tried once; then
 * the account has to authorize again.
 * A withdrawn authorization (61003) is marked as such.
 */
@Injectable()
export class AuthorizerTokenSource implements TokenSource {
  readonly kind = 'authorizer_access_token';

  constructor(
    private readonly store: AuthorizerStore,
    private readonly pauses: AuthorizerPauses,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  async prepare(key: string, state: AuthorizerState): Promise<Exchange> {
    const id = authorizerOfKey(key);
    const { status, generation } = state;
    if (status === undefined) throw new AuthorizerUnknownError(id.authorizerAppId);
    if (status === 'revoked') throw new AuthorizerRevokedError(id, state.revokedAt ?? null);
    if (status === 'suspended') throw new AuthorizerSuspendedError(id);
    if (status !== 'active') throw new NeedsReauthorizationError(id, this.authorizeUrl(id));
    const refreshToken = this.store.refreshTokenOf({
      ...id,
      refreshToken: state.refreshToken ?? null,
    });
    if (!refreshToken) throw new NoApiRightsError(id);
    const begun = { id, generation, refreshToken };
    return { inputs: {}, run: (stillMine) => this.exchange(begun, stillMine) };
  }

  /** Nothing but an event cures a refused refresh token, and that begins a new generation. */
  async inputs(): Promise<Inputs> {
    return {};
  }

  async afterFailure(key: string, error: unknown): Promise<void> {
    this.pauses.notice(authorizerOfKey(key).componentAppId, error);
  }

  private async exchange(begun: Begun, stillMine: () => Promise<void>): Promise<FreshToken> {
    const { id, refreshToken } = begun;
    if (refreshToken.problem) return this.refreshWithRecorded(begun);
    try {
      return await this.refresh(id, refreshToken);
    } catch (error) {
      if (isRefusal(error, ['withdrawn'])) return this.withdrawn(begun, error);
      if (!isRefusal(error, ['refresh_token'])) throw error;
      await stillMine();
      return this.refreshWithRecorded(begun, error);
    }
  }

  /** @param refusal WeChat's of the stored refresh token; none where that cannot be read. */
  private async refreshWithRecorded(begun: Begun, refusal?: WechatApiError): Promise<FreshToken> {
    const { id, refreshToken } = begun;
    let last = refusal;
    try {
      const recorded = await this.recordedRefreshToken(id);
      if (recorded && !refreshToken.equals(recorded.reveal())) {
        return await this.refresh(id, recorded);
      }
    } catch (error) {
      if (isRefusal(error, ['withdrawn'])) return this.withdrawn(begun, error);
      if (!isRefusal(error, ['refresh_token'])) throw error;
      last ??= error;
    }
    const what = refreshToken.problem ? 'refresh_token_unreadable' : 'refresh_token_void';
    const detail = { errcode: last?.errcode, rid: last?.rid };
    const needed = new NeedsReauthorizationError(id, this.authorizeUrl(id));
    await this.stop(begun, 'needs_reauthorization', { what, detail }, last ?? needed);
    throw needed;
  }

  private async withdrawn(begun: Begun, refusal: WechatApiError): Promise<never> {
    const after = await this.stop(begun, 'revoked', { what: 'found_withdrawn' }, refusal);
    throw new AuthorizerRevokedError(begun.id, after.revokedAt);
  }

  /** @throws the refusal, where the authorization was changed since: it says nothing about that. */
  private async stop(
    { id, generation }: Begun,
    status: 'revoked' | 'needs_reauthorization',
    change: Change,
    refusal: HubError,
  ): Promise<Account> {
    const after = await this.store.change(id, (account, now) =>
      stopped(account, { generation, status, ...change }, now),
    );
    if (!after) throw refusal;
    return after;
  }

  /**
   * WeChat's record of one account: api_get_authorizer_info names the refresh token as
   * api_get_authorizer_list does, without paging through all accounts.
   */
  private async recordedRefreshToken(id: AuthorizerId): Promise<Secret | undefined> {
    const { authorization } = await this.calls.run(id.componentAppId, (token) =>
      this.api.authorizerInfo(id.componentAppId, token, id.authorizerAppId),
    );
    return authorization.refreshToken;
  }

  private async refresh(id: AuthorizerId, refreshToken: Secret): Promise<FreshToken> {
    const answer = await this.calls.run(id.componentAppId, (token) =>
      this.api.authorizerToken(id.componentAppId, token, id.authorizerAppId, refreshToken),
    );
    // What was used is kept too: it may have come from WeChat's record. Nothing is ever blanked.
    const kept = answer.refreshToken ?? refreshToken;
    return {
      token: answer.token,
      expiresIn: answer.expiresIn,
      columns: { refreshToken: this.store.sealRefreshToken(id, kept) },
    };
  }

  private authorizeUrl({ componentAppId, authorizerAppId }: AuthorizerId): string {
    const query = new URLSearchParams({ biz_appid: authorizerAppId });
    return `${this.config.publicUrl}/authorize/${componentAppId}?${query}`;
  }
}
