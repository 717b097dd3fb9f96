import { Inject, Injectable } from '@nestjs/common';
import type { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { ComponentCall } from '../token/component-call.js';
import type { Exchange, Inputs, TokenSource } from '../token/token-source.js';
import type { FreshToken } from '../token/token.store.js';
import type { TokenState } from '../token/token-state.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { Authorizer } from './authorizer.entity.js';
import {
  AuthorizerRevokedError,
  AuthorizerUnknownError,
  authorizerOfKey,
  NeedsReauthorizationError,
  type AuthorizerId,
} from './authorizer.js';
import { AuthorizerStore } from './authorizer.store.js';

/** The engine's state with the columns of an authorizer's row. */
export type AuthorizerState = TokenState & Partial<Authorizer>;

/**
 * Gets an authorizer_access_token for a refresh token. Where WeChat calls the refresh token void
 * (61023), the one of api_get_authorizer_list is tried once; then the account has to authorize
 * again. A withdrawn authorization (61003) is marked as such.
 */
@Injectable()
export class AuthorizerTokenSource implements TokenSource {
  readonly kind = 'authorizer_access_token';

  constructor(
    private readonly store: AuthorizerStore,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  async prepare(key: string, state: AuthorizerState): Promise<Exchange> {
    const id = authorizerOfKey(key);
    if (state.status === undefined) throw new AuthorizerUnknownError(id.authorizerAppId);
    if (state.status === 'revoked') throw new AuthorizerRevokedError(id, state.revokedAt ?? null);
    const refreshToken = this.store.refreshTokenOf({
      ...id,
      refreshToken: state.refreshToken ?? null,
    });
    if (state.status !== 'active' || !refreshToken) {
      throw new NeedsReauthorizationError(id, this.authorizeUrl(id));
    }
    return { inputs: {}, run: (stillMine) => this.exchange(id, refreshToken, stillMine) };
  }

  /** Nothing but an event cures a refused refresh token, and that begins a new generation. */
  async inputs(): Promise<Inputs> {
    return {};
  }

  async afterFailure(): Promise<void> {
    // What follows is part of the exchange: it needs the lease.
  }

  private async exchange(
    id: AuthorizerId,
    refreshToken: Secret,
    stillMine: () => Promise<void>,
  ): Promise<FreshToken> {
    try {
      return await this.refresh(id, refreshToken);
    } catch (error) {
      if (!(error instanceof WechatApiError)) throw error;
      if (error.kind === 'withdrawn') {
        await this.store.stop(id, 'revoked', { what: 'found_withdrawn' });
        throw new AuthorizerRevokedError(id, null);
      }
      if (error.kind !== 'refresh_token') throw error;
      await stillMine();
      return this.refreshWithListed(id, refreshToken, error);
    }
  }

  private async refreshWithListed(
    id: AuthorizerId,
    refused: Secret,
    refusal: WechatApiError,
  ): Promise<FreshToken> {
    const listed = await this.listedRefreshToken(id);
    if (listed && !listed.equals(refused.reveal())) {
      try {
        return await this.refresh(id, listed);
      } catch (error) {
        if (!(error instanceof WechatApiError) || error.kind !== 'refresh_token') throw error;
      }
    }
    const detail = { errcode: refusal.errcode, rid: refusal.rid };
    await this.store.stop(id, 'needs_reauthorization', { what: 'refresh_token_void', detail });
    throw new NeedsReauthorizationError(id, this.authorizeUrl(id));
  }

  /** What WeChat has of one account: api_get_authorizer_info names its refresh token as well. */
  private async listedRefreshToken(id: AuthorizerId): Promise<Secret | undefined> {
    const { authorization } = await this.calls.run(id.componentAppId, (token) =>
      this.api.authorizerInfo(id.componentAppId, token, id.authorizerAppId),
    );
    return authorization.refreshToken;
  }

  private async refresh(id: AuthorizerId, refreshToken: Secret): Promise<FreshToken> {
    const answer = await this.calls.run(id.componentAppId, (token) =>
      this.api.authorizerToken(id.componentAppId, token, id.authorizerAppId, refreshToken),
    );
    // What was used is kept too: it may have come from WeChat's list. Nothing is ever blanked.
    const kept = answer.refreshToken ?? refreshToken;
    return {
      token: answer.token,
      expiresIn: answer.expiresIn,
      columns: { refreshToken: this.store.sealRefreshToken(id, kept) },
    };
  }

  private authorizeUrl({ componentAppId, authorizerAppId }: AuthorizerId): string {
    return `${this.config.publicUrl}/authorize/${componentAppId}?biz_appid=${authorizerAppId}`;
  }
}
