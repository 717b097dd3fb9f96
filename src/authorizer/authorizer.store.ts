import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import type { Secret } from '../common/secret.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { AuthorizerChange } from './authorizer-change.entity.js';
import { Authorizer } from './authorizer.entity.js';
import { authorizerIdOf, type AuthorizerId } from './authorizer.js';

/** What happened, for the history of an authorization. */
export interface Change {
  what: string;
  detail?: Record<string, unknown>;
}

/** An account of which nothing is known, and to which nothing has happened yet. */
const EMPTY_ROW = {
  status: 'needs_reauthorization',
  type: 'unknown',
  generation: 0,
  attempts: 0,
  updatedAt: 0,
} as const;

/** Rows of `authorizer` and `authorizer_change`: reading, locking, writing. */
@Injectable()
export class AuthorizerStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  find(id: AuthorizerId): Promise<Authorizer | null> {
    return this.database.read((manager) => manager.findOneBy(Authorizer, authorizerIdOf(id)));
  }

  /** The authorizations of one account: one per third-party platform. */
  findByAppId(authorizerAppId: string): Promise<Authorizer[]> {
    return this.database.read((manager) =>
      manager.find(Authorizer, { where: { authorizerAppId }, order: { componentAppId: 'ASC' } }),
    );
  }

  /** Of these accounts those that are known, on whichever platform. */
  async known(authorizerAppIds: string[]): Promise<AuthorizerId[]> {
    if (authorizerAppIds.length === 0) return [];
    return this.database.read((manager) =>
      manager.find(Authorizer, {
        where: { authorizerAppId: In([...new Set(authorizerAppIds)]) },
        select: { componentAppId: true, authorizerAppId: true },
      }),
    );
  }

  /** WeChat's last answer about the account, as JSON. */
  async infoOf(id: AuthorizerId): Promise<string | null> {
    const row = await this.database.read((manager) =>
      manager.findOne(Authorizer, {
        where: authorizerIdOf(id),
        select: { componentAppId: true, authorizerAppId: true, info: true },
      }),
    );
    return row?.info ?? null;
  }

  /** The history of an authorization, newest first. */
  history(id: AuthorizerId, limit: number): Promise<AuthorizerChange[]> {
    return this.database.read((manager) =>
      manager.find(AuthorizerChange, {
        where: authorizerIdOf(id),
        order: { id: 'DESC' },
        take: limit,
      }),
    );
  }

  /**
   * The row, locked until the transaction ends, made if it is not there: as an account without a
   * token, which the caller changes.
   */
  async lock(id: AuthorizerId, manager: EntityManager): Promise<Authorizer> {
    const [row] = await this.lockAll(id.componentAppId, [id.authorizerAppId], manager);
    if (!row) throw new Error('A row that was locked is gone');
    return row;
  }

  /** The same for accounts of one platform, all different. */
  async lockAll(
    componentAppId: string,
    authorizerAppIds: string[],
    manager: EntityManager,
  ): Promise<Authorizer[]> {
    const empty = { ...EMPTY_ROW, componentAppId, createdAt: this.clock.now() };
    await manager
      .createQueryBuilder()
      .insert()
      .into(Authorizer)
      .values(authorizerAppIds.map((authorizerAppId) => ({ ...empty, authorizerAppId })))
      // Not "ignore": that takes a shared lock of a row that is there, and two such holders who
      // both go on to write are a deadlock.
      .orUpdate(['component_appid'], ['component_appid', 'authorizer_appid'])
      .updateEntity(false)
      .execute();
    const where = { componentAppId, authorizerAppId: In(authorizerAppIds) };
    return manager.find(Authorizer, { where, ...this.database.forUpdate });
  }

  /**
   * Writes all columns of a locked row, changed or not: what they were is only known from the
   * locked read, since the transaction's other reads may see an older row.
   */
  async save(row: Authorizer, manager: EntityManager): Promise<void> {
    const { componentAppId, authorizerAppId, ...columns } = row;
    const updatedAt = this.clock.now();
    await manager.update(
      Authorizer,
      { componentAppId, authorizerAppId },
      { ...columns, updatedAt },
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
  refreshTokenOf(row: AuthorizerId & Pick<Authorizer, 'refreshToken'>): Secret | undefined {
    if (row.refreshToken === null) return undefined;
    return this.box.open(row.refreshToken, location('authorizerRefreshToken', row));
  }

  sealRefreshToken(id: AuthorizerId, refreshToken: Secret): string {
    return this.box.seal(refreshToken.reveal(), location('authorizerRefreshToken', id));
  }

  sealAccessToken(id: AuthorizerId, accessToken: Secret): string {
    return this.box.seal(accessToken.reveal(), location('authorizerAccessToken', id));
  }
}

function location(
  column: 'authorizerRefreshToken' | 'authorizerAccessToken',
  { componentAppId, authorizerAppId }: AuthorizerId,
): string {
  return secretLocation(encryptedColumns[column], componentAppId, authorizerAppId);
}
