import { Injectable } from '@nestjs/common';
import { In, Not, type EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import { isOverSql, isPending } from '../common/clock-trust.js';
import { Secret, sha256Hex } from '../common/secret.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { LONGEST_WAIT_MS } from '../token-engine/failure-policy.js';
import type { CodeSource } from '../authorizer/authorizer.js';
import { AuthorizationCode } from './authorization-code.entity.js';

/** Longer than the slowest exchange; another host goes on after it, in milliseconds. */
export const CODE_LEASE_MS = 12_000;

/** A code as it came in, by either way. */
export interface ArrivedCode {
  componentAppId: string;
  code: Secret;
  source: CodeSource;
  authorizerAppId?: string;
  /** Unix seconds. */
  eventTime?: number;
  /** Where a browser brought it: for this request, or for none of the hub's (null). */
  request?: string | null;
}

/** Rows of `authorization_code`: one per code, whichever way it came and however often. */
@Injectable()
export class AuthorizationCodeStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** Records a code unless it is there, and what this way knows more; the row, locked. */
  async keep(arrived: ArrivedCode, manager: EntityManager): Promise<AuthorizationCode> {
    const { componentAppId, code, source, authorizerAppId, eventTime } = arrived;
    const codeHash = codeHashOf(componentAppId, code);
    const now = this.clock.now();
    const known =
      authorizerAppId === undefined ? ['code_hash'] : ['authorizer_appid', 'event_time'];
    await manager
      .createQueryBuilder()
      .insert()
      .into(AuthorizationCode)
      .values({
        codeHash,
        componentAppId,
        authorizerAppId: authorizerAppId ?? null,
        eventTime: eventTime ?? null,
        code: this.box.seal(code.reveal(), location(codeHash)),
        source,
        state: 'pending',
        attempts: 0,
        nextAttemptAt: now,
        receivedAt: now,
      })
      // Locks a row that is there as "ignore" does not: exclusively.
      .orUpdate(known, ['code_hash'])
      .updateEntity(false)
      .execute();
    return this.lock(codeHash, manager);
  }

  find(codeHash: string): Promise<AuthorizationCode | null> {
    return this.database.read((manager) => manager.findOneBy(AuthorizationCode, { codeHash }));
  }

  /** A page in the order in which the codes came, newest first. */
  page(asked: {
    component?: string | undefined;
    /** The last one of the page before. */
    after?: Pick<AuthorizationCode, 'receivedAt' | 'codeHash'> | undefined;
    limit: number;
  }): Promise<AuthorizationCode[]> {
    const { component, after, limit } = asked;
    return this.database.read((manager) => {
      const select = manager.createQueryBuilder(AuthorizationCode, 'code');
      if (component) select.andWhere('code.componentAppId = :component', { component });
      if (after) {
        select
          .andWhere('code.receivedAt <= :receivedAt', { receivedAt: after.receivedAt })
          .andWhere('(code.receivedAt < :receivedAt OR code.codeHash < :codeHash)', after);
      }
      return select
        .orderBy('code.receivedAt', 'DESC')
        .addOrderBy('code.codeHash', 'DESC')
        .limit(limit)
        .getMany();
    });
  }

  /** Those of the codes that have a result. */
  ended(codeHashes: string[]): Promise<Pick<AuthorizationCode, 'codeHash' | 'state'>[]> {
    return this.database.read((manager) =>
      manager.find(AuthorizationCode, {
        select: { codeHash: true, state: true },
        where: { codeHash: In(codeHashes), state: Not('pending') },
      }),
    );
  }

  /** The row as it is now, kept from others until the transaction ends. */
  lock(codeHash: string, manager: EntityManager): Promise<AuthorizationCode> {
    return manager.findOneOrFail(AuthorizationCode, {
      where: { codeHash },
      ...this.database.forUpdate,
    });
  }

  /** Hashes of codes that are to be exchanged (again) now and that no host has leased. */
  async due(limit: number): Promise<string[]> {
    const now = this.clock.now();
    const rows = await this.database.read((manager) =>
      manager
        .createQueryBuilder(AuthorizationCode, 'code')
        .select(['code.codeHash'])
        .where("code.state = 'pending'")
        .andWhere(isOverSql('code.next_attempt_at', LONGEST_WAIT_MS, now))
        .andWhere(isOverSql('code.lease_until', CODE_LEASE_MS, now))
        .orderBy('code.nextAttemptAt', 'ASC')
        .limit(limit)
        .getMany(),
    );
    return rows.map((row) => row.codeHash);
  }

  /** Takes the right to exchange a pending code that is not put off, for {@link CODE_LEASE_MS}. */
  async acquire(codeHash: string, owner: string): Promise<boolean> {
    const now = this.clock.now();
    const leaseUntil = now + CODE_LEASE_MS;
    const result = await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(AuthorizationCode)
        .set({ leaseOwner: owner, leaseUntil, attempts: () => 'attempts + 1' })
        .where("code_hash = :codeHash AND state = 'pending'", { codeHash })
        .andWhere(isOverSql('lease_until', CODE_LEASE_MS, now))
        // Another host may have failed since the row was read.
        .andWhere(`(last_error IS NULL OR ${isOverSql('next_attempt_at', LONGEST_WAIT_MS, now)})`)
        .execute(),
    );
    return result.affected === 1;
  }

  /** A browser has brought the code: it counts for the request `requestId`, empty for none. */
  async bind(codeHash: string, requestId: string, manager: EntityManager): Promise<void> {
    await manager.update(AuthorizationCode, { codeHash }, { requestId });
  }

  /** The code was exchanged, or never will be: it is not kept any longer. */
  async end(
    codeHash: string,
    end: { state: 'done' | 'failed'; authorizerAppId?: string; lastError: string | null },
    manager: EntityManager,
  ): Promise<void> {
    await manager.update(
      AuthorizationCode,
      { codeHash },
      { ...end, code: null, leaseOwner: null, leaseUntil: null },
    );
  }

  /** The exchange failed for a reason that may pass; void while another host is at it. */
  async postpone(
    codeHash: string,
    owner: string,
    { nextAttemptAt, lastError }: { nextAttemptAt: number; lastError: string },
  ): Promise<void> {
    const over = isOverSql('lease_until', CODE_LEASE_MS, this.clock.now());
    await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(AuthorizationCode)
        .set({ nextAttemptAt, lastError, leaseOwner: null, leaseUntil: null })
        .where("code_hash = :codeHash AND state = 'pending'", { codeHash })
        .andWhere(`(lease_owner = :owner OR ${over})`, { owner })
        .execute(),
    );
  }

  /** The code itself; undefined when it is no longer kept. */
  open(row: AuthorizationCode): Secret | undefined {
    return row.code === null ? undefined : this.box.open(row.code, location(row.codeHash));
  }
}

/** Whether a failure puts the next attempt off until later, no matter who asks for it. */
export function isPutOff({ lastError, nextAttemptAt }: AuthorizationCode, now: number): boolean {
  return lastError !== null && isPending(nextAttemptAt, LONGEST_WAIT_MS, now);
}

/** The name of a code's row. */
export function codeHashOf(componentAppId: string, code: Secret): string {
  return sha256Hex(`${componentAppId}\n${code.reveal()}`);
}

function location(codeHash: string): string {
  return secretLocation(encryptedColumns.authorizationCode, codeHash);
}
