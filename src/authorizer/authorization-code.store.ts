import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import { Secret, sha256Hex } from '../common/secret.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { AuthorizationCode } from './authorization-code.entity.js';

/** A code as it came in, by either way. */
export interface ArrivedCode {
  componentAppId: string;
  code: Secret;
  /** `redirect` or the event's InfoType. */
  source: string;
  authorizerAppId?: string;
  /** Unix seconds. */
  eventTime?: number;
}

/** Rows of `authorization_code`: one per code, whichever way it came and however often. */
@Injectable()
export class AuthorizationCodeStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** Records a code unless it is there; its hash. What the second way knows more is added. */
  async keep(arrived: ArrivedCode, manager: EntityManager): Promise<string> {
    const codeHash = codeHashOf(arrived.componentAppId, arrived.code);
    const now = this.clock.now();
    await manager
      .createQueryBuilder()
      .insert()
      .into(AuthorizationCode)
      .values({
        codeHash,
        componentAppId: arrived.componentAppId,
        authorizerAppId: arrived.authorizerAppId ?? null,
        code: this.box.seal(arrived.code.reveal(), location(codeHash)),
        source: arrived.source,
        eventTime: arrived.eventTime ?? null,
        state: 'pending',
        attempts: 0,
        nextAttemptAt: now,
        receivedAt: now,
      })
      .orIgnore()
      .execute();
    if (arrived.authorizerAppId !== undefined) {
      await manager
        .createQueryBuilder()
        .update(AuthorizationCode)
        .set({ authorizerAppId: arrived.authorizerAppId, eventTime: arrived.eventTime ?? null })
        .where('code_hash = :codeHash AND authorizer_appid IS NULL', { codeHash })
        .execute();
    }
    return codeHash;
  }

  find(codeHash: string): Promise<AuthorizationCode | null> {
    return this.database.read((manager) => manager.findOneBy(AuthorizationCode, { codeHash }));
  }

  /** Hashes of codes that are to be exchanged (again) now, oldest first. */
  async due(limit: number): Promise<string[]> {
    const rows = await this.database.read((manager) =>
      manager
        .createQueryBuilder(AuthorizationCode, 'code')
        .select(['code.codeHash'])
        .where("code.state = 'pending' AND code.nextAttemptAt <= :now", { now: this.clock.now() })
        .orderBy('code.nextAttemptAt', 'ASC')
        .limit(limit)
        .getMany(),
    );
    return rows.map((row) => row.codeHash);
  }

  /** Takes the right to exchange a pending code until `until`. */
  async acquire(codeHash: string, owner: string, until: number): Promise<boolean> {
    const result = await this.database.transaction((manager) =>
      manager
        .createQueryBuilder()
        .update(AuthorizationCode)
        .set({ leaseOwner: owner, leaseUntil: until, attempts: () => 'attempts + 1' })
        .where("code_hash = :codeHash AND state = 'pending'", { codeHash })
        .andWhere('(lease_until IS NULL OR lease_until <= :now)', { now: this.clock.now() })
        .execute(),
    );
    return result.affected === 1;
  }

  /** The code was exchanged, or never will be: it is not kept any longer. */
  async end(
    codeHash: string,
    end: { state: 'done' | 'failed'; authorizerAppId?: string; lastError?: string },
    manager: EntityManager,
  ): Promise<void> {
    await manager.update(
      AuthorizationCode,
      { codeHash },
      { ...end, code: null, leaseOwner: null, leaseUntil: null },
    );
  }

  /** The exchange failed for a reason that may pass. */
  async postpone(codeHash: string, nextAttemptAt: number, lastError: string): Promise<void> {
    await this.database.transaction((manager) =>
      manager.update(
        AuthorizationCode,
        { codeHash },
        { nextAttemptAt, lastError, leaseOwner: null, leaseUntil: null },
      ),
    );
  }

  /** The code itself; undefined when it is no longer kept. */
  open(row: AuthorizationCode): Secret | undefined {
    return row.code === null ? undefined : this.box.open(row.code, location(row.codeHash));
  }
}

function codeHashOf(componentAppId: string, code: Secret): string {
  return sha256Hex(`${componentAppId}\n${code.reveal()}`);
}

function location(codeHash: string): string {
  return secretLocation(encryptedColumns.authorizationCode, codeHash);
}
