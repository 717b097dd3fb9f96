import type { EntityManager, ObjectLiteral, QueryDeepPartialEntity } from 'typeorm';
import { v4 as uuidv4 } from 'uuid';
import type { Clock } from '../common/clock.js';
import { CLOCK_SLACK_MS, isOverSql } from '../common/clock-trust.js';
import type { Database } from '../database/database.js';
import { LONGEST_WAIT_MS } from './failure-policy.js';
import { LEASE_MS } from './token-limits.js';
import type { TokenColumns } from './token-columns.js';
import { stateOfRow, type TokenState } from './token-state.js';
import type { TokenTable } from './token-table.js';

/** Right to exchange: nobody else does until it ends or is given back. */
export interface Lease {
  /** Unique to this lease. */
  owner: string;
  /** Generation that the holder saw: its result counts only while this is the current one. */
  generation: number;
  /** End, in Unix milliseconds. */
  until: number;
}

/** A row whose lease was taken because it is due. */
export interface Claim {
  key: string;
  /** As it was before; without the token, which its refresh does not need. */
  state: TokenState;
  lease: Lease;
}

/** What one claim found. */
export interface ClaimedBatch {
  claims: Claim[];
  /** Whether there may be more rows that are due. */
  more: boolean;
}

/** Takes the leases of due rows by the batch: the way for many rows and many hosts. */
export class TokenClaims<E extends TokenColumns> {
  constructor(
    private readonly table: TokenTable<E>,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes up to `limit` rows of `scope` that are due and may be tried, oldest first. On MySQL rows
   * that another host is claiming are passed over, not waited for. Cold rows are let be.
   */
  async take(until: number, limit: number, scope: Partial<E>): Promise<ClaimedBatch> {
    const owner = uuidv4();
    return this.database.transaction(async (manager) => {
      const rows = (await this.dueRows(manager, limit, scope).getMany()) as E[];
      const cold = rows.filter((row) => this.table.isCold?.(row));
      const warm = rows.filter((row) => !cold.includes(row));
      await this.change(manager, cold, { refreshAt: null });
      // Out of the way of the next claim: it would lock what is under way, and saves would wait for
      // it. Whoever is gone by the end of the lease leaves them due.
      const leased = { leaseOwner: owner, leaseUntil: until, refreshAt: until };
      await this.change(manager, warm, leased);
      const claims = warm.map((row) => ({
        key: this.table.key(row),
        state: stateOfRow(row, null),
        lease: { owner, generation: row.generation, until },
      }));
      return { claims, more: rows.length === limit };
    });
  }

  /**
   * Makes rows of `scope` due whose refresh time is further ahead than any life or wait: it was
   * written under a wrong clock, and they would not be found again.
   */
  async recall(scope: Partial<E>): Promise<void> {
    const now = this.clock.now();
    const values: Partial<TokenColumns> = { refreshAt: now };
    await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(this.table.entity)
        .set(values as QueryDeepPartialEntity<E>)
        .where(scope as ObjectLiteral)
        .andWhere('refresh_at > :far', { far: now + LONGEST_WAIT_MS + CLOCK_SLACK_MS })
        .execute(),
    );
  }

  private dueRows(manager: EntityManager, limit: number, scope: Partial<E>) {
    const now = this.clock.now();
    const query = manager
      .createQueryBuilder(this.table.entity, 'token')
      .where(scope as ObjectLiteral)
      .andWhere('token.refreshAt <= :now', { now })
      .andWhere(isOverSql('token.leaseUntil', LEASE_MS, now))
      .andWhere(isOverSql('token.nextAttemptAt', LONGEST_WAIT_MS, now))
      .orderBy('token.refreshAt', 'ASC')
      .limit(limit);
    return this.database.dialect === 'mysql'
      ? query.setLock('pessimistic_write').setOnLocked('skip_locked')
      : query;
  }

  private async change(
    manager: EntityManager,
    rows: E[],
    values: Partial<TokenColumns>,
  ): Promise<void> {
    if (rows.length === 0) return;
    await manager
      .createQueryBuilder()
      .update(this.table.entity)
      .set(values as QueryDeepPartialEntity<E>)
      .where(rows.map((row) => this.table.identity(this.table.key(row)) as ObjectLiteral))
      .execute();
  }
}
