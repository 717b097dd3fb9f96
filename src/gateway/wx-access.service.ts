import { Inject, Injectable } from '@nestjs/common';
import { AccessGuard } from '../auth/access.guard.js';
import { isAmong, type ApiKey, type Wish } from '../auth/api-key.js';
import type { ScopeName } from '../auth/scope.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { AuthorizerUnknownError, type AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import { ComponentService } from '../component/component.service.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { ServableState } from '../token-engine/token-state.js';
import { secondsLeft } from '../token/token.views.js';
import {
  openStandIn,
  sealStandIn,
  STAND_IN_SECONDS,
  USER_REFRESH_SECONDS,
  type StandIn,
  type StandInKind,
} from './stand-in.js';
import type { GatewayAnswer, GatewayCall } from './gateway.client.js';
import type { GatewayService } from './gateway.service.js';
import { withoutTokenRefusal, type WxCall } from './wx-call.js';
import { wxRefusal } from './wx-errors.js';

/** Who calls the drop-in address, and on whose behalf. */
export interface WxCaller {
  key: ApiKey;
  /** Of the secret with which the key was shown, here or when the stand-in was given. */
  mark: string;
  componentAppId: string;
  authorizerAppId?: string;
}

/** How long each kind lives, in seconds; the other kind has no end. */
const LIVES: Partial<Record<StandInKind, number>> = {
  component: STAND_IN_SECONDS,
  account: STAND_IN_SECONDS,
  user: STAND_IN_SECONDS,
  user_refresh: USER_REFRESH_SECONDS,
};
/** Left of a real token that is shown, in seconds, unless there is no better one. */
const SHORTEST_REAL_SECONDS = 1800;
/** What a key is refused for as a whole: the stand-ins given for it end with it. */
const ENDED = ['unauthorized', 'key_revoked', 'key_expired'];

/**
 * Who may call the drop-in address: an API key with the scope `proxy`, shown as an SDK's secret, or a
 * stand-in that was given for one.
 */
@Injectable()
export class WxAccessService {
  constructor(
    private readonly guard: AccessGuard,
    private readonly accounts: AuthorizerStore,
    private readonly authorizers: AuthorizerTokenService,
    private readonly components: ComponentService,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /**
   * A platform's SDK with its secret.
   * @param path of WeChat's, where the key must be allowed to call it.
   * @throws {HubError} 400 `secret_missing`; as {@link AccessGuard.checkSecret}
   */
  async ofPlatform(
    appid: string,
    secret: string,
    address: string,
    path?: string,
  ): Promise<WxCaller> {
    const wish = { componentAppId: appid, later: ['account'] as const, path };
    return { ...(await this.show(secret, address, wish)), componentAppId: appid };
  }

  /**
   * An account's SDK with its secret. Of several platforms that it has authorized, those of the key
   * count, then those that have not lost it, then the newest authorization.
   * @throws {HubError} as {@link ofPlatform}; 404 `authorizer_unknown`, 400 `component_ambiguous`
   */
  async ofAccount(
    appid: string,
    secret: string,
    address: string,
    path?: string,
  ): Promise<Required<WxCaller>> {
    const wish = { authorizerAppId: appid, later: ['platform'] as const, path };
    const shown = await this.show(secret, address, wish);
    const componentAppId = await this.platformOf(appid, shown.key.componentAppIds);
    return { ...shown, componentAppId, authorizerAppId: appid };
  }

  /**
   * An account's platform, as it is shown to anybody. For an account that is unknown it is one of the
   * platforms, always the same: strangers must not learn which accounts there are.
   * @throws {HubError} 404 `authorizer_unknown` where there is no platform
   */
  async platformForAnybody(appid: string): Promise<string> {
    try {
      return await this.platformOf(appid, null);
    } catch (error) {
      if (!(error instanceof HubError) || error.status >= 500) throw error;
      const platforms = await this.components.list();
      if (platforms.length === 0) throw error;
      // Keyed, or strangers could reckon which platform an unknown account is given.
      const number = Buffer.from(this.box.sign(appid, 'platform'), 'base64url').readUInt32BE();
      return platforms[number % platforms.length]?.appid ?? '';
    }
  }

  /**
   * A call with a stand-in.
   * @throws {HubError} 400 `token_missing`; 401 `stand_in_forged`, `stand_in_expired`, `stand_in_dead`;
   * as {@link AccessGuard.checkMark}
   */
  async ofStandIn(
    token: string | undefined,
    address: string,
    path: string,
  ): Promise<{ caller: WxCaller; standIn: StandIn }> {
    if (!token) throw wxRefusal('token_missing', 'access_token missing');
    const standIn = openStandIn(token, this.box, this.clock.now());
    const { keyId, mark, componentAppId, authorizerAppId } = standIn;
    const later = authorizerAppId === undefined ? (['account'] as const) : [];
    const wish: Wish = { scopes: ['proxy'], componentAppId, authorizerAppId, later, path };
    const key = await this.guard.checkMark(keyId, mark, { address, wish }).catch((error) => {
      if (!(error instanceof HubError && ENDED.includes(error.code))) throw error;
      throw wxRefusal('stand_in_dead', 'invalid credential, its API key is no longer good', 401);
    });
    return { caller: { key, mark, componentAppId, authorizerAppId }, standIn };
  }

  /**
   * {@link ofStandIn} for a path of the platform's.
   * @throws {HubError} 400 `component_token_needed` for another kind of token
   */
  async ofComponent({ query, address, url }: WxCall): Promise<{ caller: WxCaller }> {
    const { caller, standIn } = await this.ofStandIn(query.token?.value, address, url.path);
    if (standIn.kind === 'component') return { caller };
    throw wxRefusal('component_token_needed', 'must use component token for component api');
  }

  /**
   * An account's token as it is shown: a stand-in, or by GATEWAY_TOKENS=real itself, with what is left
   * of its life in seconds.
   * @throws {HubError} where there is no token now.
   */
  async accountToken(caller: Required<WxCaller>): Promise<{ token: string; expires_in: number }> {
    const { componentAppId, authorizerAppId } = caller;
    const state = await this.authorizers.current(authorizerAppId, componentAppId);
    if (this.config.gateway.tokens === 'standin') {
      return { token: this.give('account', caller), expires_in: STAND_IN_SECONDS };
    }
    const shown = await this.longEnough(caller, state);
    return { token: shown.token.reveal(), expires_in: secondsLeft(shown, this.clock.now()) };
  }

  /** A token to show to the caller. @param token WeChat's own, where the hub keeps none. */
  give(kind: StandInKind, caller: WxCaller, token?: Secret): string {
    const { key, mark, componentAppId, authorizerAppId } = caller;
    const life = LIVES[kind];
    const expiresAt = life && this.clock.now() + life * 1000;
    const standIn = {
      kind,
      keyId: key.id,
      mark,
      componentAppId,
      authorizerAppId,
      token,
      expiresAt,
    };
    return sealStandIn(standIn, this.box);
  }

  private async show(
    secret: string,
    address: string,
    wish: Omit<Wish, 'scopes'>,
  ): Promise<{ key: ApiKey; mark: string }> {
    if (secret === '') throw wxRefusal('secret_missing', 'appsecret missing: send an API key');
    const scopes = this.scopesFor(wish);
    return this.guard.checkSecret(secret, { address, wish: { scopes, ...wish } });
  }

  /** Near its end a token is replaced first: SDKs take up to 25 minutes off its life. */
  private async longEnough(id: AuthorizerId, state: ServableState): Promise<ServableState> {
    if (secondsLeft(state, this.clock.now()) >= SHORTEST_REAL_SECONDS) return state;
    return this.authorizers.refreshNow(id).catch(() => state);
  }

  /** A real token is one that the key could read by itself. */
  private scopesFor({ authorizerAppId, path }: Omit<Wish, 'scopes'>): ScopeName[] {
    const isReal = this.config.gateway.tokens === 'real';
    return isReal && authorizerAppId !== undefined && path === undefined
      ? ['token:read']
      : ['proxy'];
  }

  private async platformOf(appid: string, allowed: string[] | null): Promise<string> {
    const all = (await this.accounts.findByAppId(appid)).filter(({ componentAppId }) =>
      isAmong(componentAppId, allowed),
    );
    const live = all.filter(({ status }) => status !== 'revoked');
    const meant = live.length > 0 ? live : all;
    const newest = Math.max(...meant.map((row) => row.lastAuthorizedAt ?? 0));
    const [found, ...others] = meant.filter((row) => (row.lastAuthorizedAt ?? 0) === newest);
    if (!found) throw new AuthorizerUnknownError(appid);
    if (others.length === 0) return found.componentAppId;
    const names = meant.map(({ componentAppId }) => componentAppId);
    throw wxRefusal(
      'component_ambiguous',
      `invalid appid, it is authorized to several platforms: limit the API key to one of ${names.join(', ')}`,
    );
  }
}

/** Calls WeChat for a caller with the platform's token. @throws {HubError} as {@link GatewayService.call} */
export async function askAsPlatform(
  gateway: GatewayService,
  { headers, waiting }: WxCall,
  { key, componentAppId }: WxCaller,
  what: Pick<GatewayCall, 'method' | 'path' | 'query' | 'body'>,
): Promise<GatewayAnswer> {
  const parameter = 'component_access_token';
  const call = { ...what, actor: `key:${key.id}`, headers, waiting, parameter } as const;
  return withoutTokenRefusal(await gateway.call({ componentAppId }, call));
}

/** @throws {HubError} 403 `account_not_allowed` where the key is limited to other accounts. */
export function requireAccount({ key }: WxCaller, authorizerAppId: string): void {
  if (isAmong(authorizerAppId, key.authorizerAppIds)) return;
  throw wxRefusal('account_not_allowed', 'component is not authorized by this account', 403);
}

/** @throws {HubError} 403 `not_allowed` where the key is limited to accounts: the call is about all. */
export function requireAllAccounts({ key }: WxCaller): void {
  if (key.authorizerAppIds === null) return;
  throw new HubError('not_allowed', 'api unauthorized: the API key is limited to accounts', {
    status: 403,
    details: { missing: 'path' },
  });
}
