import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { Secret } from '../common/secret.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { refreshTime } from '../token/refresh-decision.js';
import type { Authorization } from '../wechat-api/component-api.js';
import { AuthorizerChange } from './authorizer-change.entity.js';
import { Authorizer } from './authorizer.entity.js';
import type { AuthorizerId, AuthorizerStatus } from './authorizer.js';
import { recordOfInfo } from './authorizer-info.js';

/** Refreshes are spread over this share of a token's life. */
export const REFRESH_SPREAD = 0.25;

/** What happened, for the history of an authorization. */
export interface Change {
  what: string;
  detail?: Record<string, unknown>;
}

/** Rows of `authorizer` and their history. All writes happen in the caller's transaction. */
@Injectable()
export class AuthorizerStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  find(id: AuthorizerId): Promise<Authorizer | null> {
    return this.database.read((manager) => manager.findOneBy(Authorizer, { ...id }));
  }

  /** The authorizations of one account: one per third-party platform. */
  findByAppId(authorizerAppId: string): Promise<Authorizer[]> {
    return this.database.read((manager) =>
      manager.find(Authorizer, { where: { authorizerAppId }, order: { componentAppId: 'ASC' } }),
    );
  }

  /** The history of an authorization, newest first. */
  history(id: AuthorizerId, limit: number): Promise<AuthorizerChange[]> {
    return this.database.read((manager) =>
      manager.find(AuthorizerChange, { where: { ...id }, order: { id: 'DESC' }, take: limit }),
    );
  }

  /**
   * The row, locked until the transaction ends, made if it is not there: as an account that never
   * authorized, which the caller changes.
   */
  async lock(id: AuthorizerId, manager: EntityManager): Promise<Authorizer> {
    const now = this.clock.now();
    await manager
      .createQueryBuilder()
      .insert()
      .into(Authorizer)
      .values({
        ...id,
        status: 'revoked',
        type: 'unknown',
        generation: 0,
        attempts: 0,
        createdAt: now,
        updatedAt: now,
      })
      .orIgnore()
      .execute();
    return manager.findOneOrFail(Authorizer, { where: { ...id }, ...this.database.forUpdate });
  }

  /**
   * An authorization was granted or changed: tokens and permission sets are replaced, whoever is
   * refreshing with the old ones can not save any more, and the information is to be fetched.
   */
  async authorize(
    id: AuthorizerId,
    granted: Authorization,
    facts: { obtainedAt: number; eventTime: number | null },
    manager: EntityManager,
  ): Promise<void> {
    const row = await this.lock(id, manager);
    const now = this.clock.now();
    row.status = 'active';
    row.revokedAt = null;
    row.firstAuthorizedAt ??= now;
    row.lastAuthorizedAt = now;
    row.usedAt ??= now;
    row.eventTime = Math.max(row.eventTime ?? 0, facts.eventTime ?? 0) || null;
    row.funcInfo = JSON.stringify(granted.funcInfo);
    row.infoDueAt = now;
    row.generation += 1;
    this.setTokens(row, granted, facts.obtainedAt);
    await this.save(row, manager);
  }

  /**
   * The account withdrew its authorization at `eventTime` (Unix seconds): its tokens are dead. An
   * event that is older than the last authorization changes nothing.
   * @returns whether it took effect.
   */
  async revoke(id: AuthorizerId, eventTime: number, manager: EntityManager): Promise<boolean> {
    const row = await this.lock(id, manager);
    if (eventTime < (row.eventTime ?? 0)) return false;
    row.eventTime = eventTime;
    row.revokedAt = eventTime * 1000;
    this.endTokens(row, 'revoked');
    await this.save(row, manager);
    return true;
  }

  /** WeChat gives no tokens for the account any more, for a reason other than an event. */
  async stop(
    id: AuthorizerId,
    status: Exclude<AuthorizerStatus, 'active'>,
    change: Change,
  ): Promise<void> {
    await this.database.transaction(async (manager) => {
      const row = await this.lock(id, manager);
      if (row.status === status) return;
      if (status === 'revoked') row.revokedAt = this.clock.now();
      this.endTokens(row, status);
      await this.save(row, manager);
      await this.note(id, change, manager);
    });
  }

  /** WeChat's record of the account is to be fetched: it has more than the hub. */
  async askWechat(id: AuthorizerId, manager: EntityManager): Promise<void> {
    const row = await this.lock(id, manager);
    row.infoDueAt = this.clock.now();
    await this.save(row, manager);
  }

  /**
   * Keeps a refresh token that WeChat listed, where the row has none or another.
   * @returns whether it was news.
   */
  async repair(id: AuthorizerId, refreshToken: Secret, manager: EntityManager): Promise<boolean> {
    const row = await this.lock(id, manager);
    const news = await this.adoptRefreshToken(row, refreshToken, manager);
    await this.save(row, manager);
    return news;
  }

  /**
   * Keeps what api_get_authorizer_info said; fields that it did not have stay as they are. What it
   * grants counts only if nothing has happened to the authorization since `generation`.
   */
  async keepInfo(
    id: AuthorizerId,
    answer: { info: Record<string, unknown>; authorization: Authorization },
    generation: number,
  ): Promise<void> {
    await this.database.transaction(async (manager) => {
      const row = await this.lock(id, manager);
      Object.assign(row, recordOfInfo(answer.info));
      row.infoDueAt = null;
      if (row.generation === generation) {
        const { funcInfo, refreshToken } = answer.authorization;
        if (funcInfo.length > 0) row.funcInfo = JSON.stringify(funcInfo);
        if (refreshToken && row.status !== 'suspended') {
          await this.adoptRefreshToken(row, refreshToken, manager);
        }
      }
      await this.save(row, manager);
    });
  }

  /** The information can not be had now. */
  async postponeInfo(id: AuthorizerId, dueAt: number | null): Promise<void> {
    await this.database.transaction((manager) =>
      manager.update(Authorizer, { ...id }, { infoDueAt: dueAt }),
    );
  }

  /** Accounts whose information is to be fetched now. */
  infoDue(limit: number): Promise<Authorizer[]> {
    return this.database.read((manager) =>
      manager
        .createQueryBuilder(Authorizer, 'authorizer')
        .where('authorizer.infoDueAt <= :now', { now: this.clock.now() })
        .orderBy('authorizer.infoDueAt', 'ASC')
        .limit(limit)
        .getMany(),
    );
  }

  /** Writes a line of the account's history. */
  async note(
    { componentAppId, authorizerAppId }: AuthorizerId,
    { what, detail }: Change,
    manager: EntityManager,
  ): Promise<void> {
    await manager.insert(AuthorizerChange, {
      id: uuidv7(),
      componentAppId,
      authorizerAppId,
      at: this.clock.now(),
      what,
      detail: detail ? JSON.stringify(detail) : null,
    });
  }

  /** The refresh token of a row; undefined where WeChat gave none. */
  refreshTokenOf(
    row: Pick<Authorizer, 'componentAppId' | 'authorizerAppId' | 'refreshToken'>,
  ): Secret | undefined {
    if (row.refreshToken === null) return undefined;
    const location = refreshTokenLocation(row);
    return this.box.open(row.refreshToken, location);
  }

  sealRefreshToken(id: AuthorizerId, refreshToken: Secret): string {
    return this.box.seal(refreshToken.reveal(), refreshTokenLocation(id));
  }

  /** What is missing in an answer never overwrites what is there. */
  private setTokens(row: Authorizer, granted: Authorization, obtainedAt: number): void {
    const { accessToken, expiresIn, refreshToken } = granted;
    if (refreshToken) row.refreshToken = this.sealRefreshToken(row, refreshToken);
    const location = secretLocation(
      encryptedColumns.authorizerAccessToken,
      row.componentAppId,
      row.authorizerAppId,
    );
    // WeChat voids the access token before it, so without a new one there is none.
    row.accessToken = accessToken ? this.box.seal(accessToken.reveal(), location) : null;
    row.expiresIn = accessToken ? (expiresIn ?? null) : null;
    row.obtainedAt = accessToken ? obtainedAt : null;
    row.expiresAt = accessToken && expiresIn ? obtainedAt + expiresIn * 1000 : null;
    row.refreshAt =
      accessToken && expiresIn
        ? refreshTime(obtainedAt, expiresIn, Math.random() * REFRESH_SPREAD)
        : row.refreshToken === null
          ? null
          : this.clock.now();
    clearRefreshing(row);
  }

  /** WeChat has this refresh token on record, so the authorization stands. */
  private async adoptRefreshToken(
    row: Authorizer,
    refreshToken: Secret,
    manager: EntityManager,
  ): Promise<boolean> {
    const known = this.refreshTokenOf(row)?.equals(refreshToken.reveal()) ?? false;
    if (known && row.status === 'active') return false;
    const now = this.clock.now();
    row.refreshToken = this.sealRefreshToken(row, refreshToken);
    row.status = 'active';
    row.revokedAt = null;
    row.firstAuthorizedAt ??= now;
    row.lastAuthorizedAt ??= now;
    row.usedAt ??= now;
    row.infoDueAt ??= row.info === null ? now : null;
    row.generation += 1;
    row.refreshAt = now;
    clearRefreshing(row);
    await this.note(row, { what: 'refresh_token_repaired' }, manager);
    return true;
  }

  private endTokens(row: Authorizer, status: AuthorizerStatus): void {
    row.status = status;
    row.generation += 1;
    row.accessToken = null;
    row.expiresIn = null;
    row.obtainedAt = null;
    row.expiresAt = null;
    row.refreshAt = null;
    row.infoDueAt = null;
    clearRefreshing(row);
  }

  private async save(row: Authorizer, manager: EntityManager): Promise<void> {
    row.updatedAt = this.clock.now();
    await manager.save(Authorizer, row, { reload: false });
  }
}

function refreshTokenLocation(id: AuthorizerId): string {
  return secretLocation(
    encryptedColumns.authorizerRefreshToken,
    id.componentAppId,
    id.authorizerAppId,
  );
}

function clearRefreshing(row: Authorizer): void {
  row.invalidatedAt = null;
  row.attempts = 0;
  row.nextAttemptAt = null;
  row.lastError = null;
  row.leaseOwner = null;
  row.leaseUntil = null;
}
