import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { DAY_MS } from '../common/times.js';
import { ComponentService } from '../component/component.service.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { TokenEngine } from '../token-engine/token.engine.js';
import type { ServableState } from '../token-engine/token-state.js';
import type { TokenSupply } from '../token-engine/with-fresh-token.js';
import { TokenStore } from '../token-engine/token.store.js';
import { Authorizer } from './authorizer.entity.js';
import {
  authorizerKey,
  authorizerOfKey,
  AuthorizerUnknownError,
  type AuthorizerId,
} from './authorizer.js';
import { AuthorizerTokenSource, type AuthorizerState } from './authorizer-token.source.js';
import { AuthorizerStore } from './authorizer.store.js';

/** Refreshes that one host has under way at once, shared by its platforms. */
const CONCURRENCY = 100;
/** Each platform's share is at least this. */
const MIN_CONCURRENCY = 10;
/** A use is written down at most this often per account, in milliseconds. */
const USED_INTERVAL_MS = 3_600_000;
/** Refreshes are spread over this share of a token's life. */
export const REFRESH_SPREAD = 0.25;
/** How long it is remembered which platforms an account belongs to, in milliseconds. */
const OWNERS_TTL_MS = 4000;
/** Accounts of which such things are held in memory. */
const REMEMBERED = 10_000;

/** A platform that an account is, or was, authorized to. */
interface Owner {
  componentAppId: string;
  live: boolean;
}

/** The authorizer_access_token of every account: the component's engine on another table. */
@Injectable()
export class AuthorizerTokenService implements OnModuleDestroy {
  private readonly engine: TokenEngine;
  private readonly used = new LRUCache<string, number>({ ...atMost(REMEMBERED) });
  private readonly owners: LRUCache<string, Owner[]>;

  constructor(
    source: AuthorizerTokenSource,
    private readonly store: AuthorizerStore,
    private readonly components: ComponentService,
    database: Database,
    box: SecretBox,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    const perf = { now: () => clock.elapsed() };
    this.owners = new LRUCache({ ...atMost(REMEMBERED), ttl: OWNERS_TTL_MS, perf });
    const rows = new TokenStore<Authorizer>(
      {
        entity: Authorizer,
        identity: authorizerOfKey,
        key: authorizerKey,
        location: (key) =>
          secretLocation(encryptedColumns.authorizerAccessToken, ...key.split('/')),
        spread: REFRESH_SPREAD,
        // A row exists because the account authorized, never because somebody asked.
        createRows: false,
        isCold: (row) => this.isCold(row),
      },
      database,
      box,
      clock,
    );
    this.engine = new TokenEngine(rows, source, clock);
  }

  /**
   * A token that WeChat takes, for the account that the caller names.
   * @param componentAppId needed where the account is authorized to several platforms.
   * @throws {HubError}
   */
  async current(authorizerAppId: string, componentAppId?: string): Promise<ServableState> {
    return this.currentOf(await this.resolve(authorizerAppId, componentAppId));
  }

  /** Replaces a token that WeChat refused; see {@link TokenEngine.invalidate}. @throws {HubError} */
  async invalidate(
    authorizerAppId: string,
    token: string,
    componentAppId?: string,
  ): Promise<ServableState> {
    return this.engine.invalidate(await this.resolve(authorizerAppId, componentAppId), token);
  }

  /** Where calls with the account's token get it. */
  supply(authorizerAppId: string, componentAppId?: string): TokenSupply {
    return {
      current: () => this.current(authorizerAppId, componentAppId),
      replace: (refused) => this.invalidate(authorizerAppId, refused, componentAppId),
    };
  }

  /** The same for an authorization that {@link idOf} has just given. */
  supplyOf(id: AuthorizerId): TokenSupply {
    const key = authorizerKey(id);
    return {
      current: () => this.currentOf(key),
      replace: (refused) => this.engine.invalidate(key, refused),
    };
  }

  /** The one authorization that the caller means. @throws {HubError} as {@link current} */
  async idOf(authorizerAppId: string, componentAppId?: string): Promise<AuthorizerId> {
    return authorizerOfKey(await this.resolve(authorizerAppId, componentAppId));
  }

  /** Refreshes now. @throws {HubError} */
  refreshNow(id: AuthorizerId): Promise<ServableState> {
    return this.engine.refreshNow(authorizerKey(id));
  }

  /**
   * Refreshes what is due of one platform, of so many that share this host, until nothing more is
   * due or `mayGoOn` says no; how many that were.
   */
  refreshDue(componentAppId: string, platforms: number, mayGoOn: () => boolean): Promise<number> {
    const concurrency = Math.max(MIN_CONCURRENCY, Math.floor(CONCURRENCY / platforms));
    const scope: Partial<Authorizer> = { componentAppId };
    return this.engine.claimAndRefresh(scope, concurrency, mayGoOn);
  }

  /** The authorization was changed by another way than the engine: its copy here is dead. */
  forget(id: AuthorizerId): void {
    this.engine.forget(authorizerKey(id));
    this.owners.delete(id.authorizerAppId);
  }

  async onModuleDestroy(): Promise<void> {
    await this.engine.stop();
  }

  private async currentOf(key: string): Promise<ServableState> {
    const state = await this.engine.current(key);
    this.noteUse(key, state as AuthorizerState);
    return state;
  }

  private async resolve(authorizerAppId: string, componentAppId?: string): Promise<string> {
    const all = await this.ownersOf(authorizerAppId);
    const live = all.filter((owner) => owner.live);
    const meant = componentAppId
      ? all.filter((owner) => owner.componentAppId === componentAppId)
      : live.length > 0
        ? live
        : all;
    const [owner] = meant;
    if (owner === undefined) throw new AuthorizerUnknownError(authorizerAppId);
    if (meant.length > 1) {
      const components = meant.map((one) => one.componentAppId);
      throw new HubError(
        'component_ambiguous',
        'The account is authorized to several third-party platforms: name one (?component=, or x-hub-component in a call of WeChat)',
        { status: 400, details: { components } },
      );
    }
    await this.components.getEnabled(owner.componentAppId);
    return authorizerKey({ componentAppId: owner.componentAppId, authorizerAppId });
  }

  private async ownersOf(authorizerAppId: string): Promise<Owner[]> {
    const known = this.owners.get(authorizerAppId);
    if (known) return known;
    const rows = await this.store.findByAppId(authorizerAppId);
    const owners = rows.map(({ componentAppId, status }) => ({
      componentAppId,
      live: status !== 'revoked',
    }));
    if (owners.length > 0) this.owners.set(authorizerAppId, owners);
    return owners;
  }

  private isCold({ usedAt }: Authorizer): boolean {
    return (usedAt ?? 0) < this.clock.now() - this.config.authorizerWarmDays * DAY_MS;
  }

  private noteUse(key: string, { usedAt }: AuthorizerState): void {
    const now = this.clock.now();
    const known = Math.max(usedAt ?? 0, this.used.get(key) ?? 0);
    if (now - known < USED_INTERVAL_MS) return;
    this.used.set(key, now);
    void this.store
      .noteUse(authorizerOfKey(key), now)
      // Only a hint about which accounts are in use: the next hour's use writes it again.
      .catch(() => undefined);
  }
}
