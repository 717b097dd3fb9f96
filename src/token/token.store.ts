import type { EntityManager, QueryDeepPartialEntity, UpdateResult } from 'typeorm';
import type { Clock } from '../common/clock.js';
import type { Secret } from '../common/secret.js';
import type { Database } from '../database/database.js';
import type { SecretBox } from '../secrets/secret-box.js';
import { refreshTime } from './refresh-decision.js';
import { TokenClaims, type ClaimedBatch } from './token.claims.js';
import type { TokenColumns } from './token-columns.js';
import { EMPTY_STATE, stateOfRow, type LastError, type TokenState } from './token-state.js';
import type { TokenTable } from './token-table.js';

/** A token as WeChat gave it. */
export interface FreshToken {
  token: Secret;
  /** Life in seconds. */
  expiresIn: number;
  /** Further columns of the row that the same answer changes. */
  columns?: Record<string, unknown>;
}

/** Right to exchange: nobody else does until it ends or is given back. */
export interface Lease {
  /** Unique to this lease. */
  owner: string;
  /** Generation that the holder saw: its result counts only while this is the current one. */
  generation: number;
  /** End, in Unix milliseconds. */
  until: number;
}

/** A failed exchange as the row keeps it. */
export interface Failure {
  attempts: number;
  nextAttemptAt: number;
  lastError: LastError;
  /** Whether WeChat may have ended the row's token all the same. */
  due: boolean;
}

/**
 * Rows of tokens. Every write is one conditional UPDATE: it takes effect only while what the
 * caller saw still holds, whoever else writes.
 *
 * ```
 *            acquire                    save (generation + 1)
 *   idle ───────────────▶ leased ───────────────────────────▶ idle
 *    ▲                      │  │ fail (attempts + 1, next_attempt_at)
 *    │                      │  └─────────────────────────────▶ idle
 *    └── lease_until passed ┘  the holder is gone: the token is due and anyone may acquire;
 *                              its late save is void once another has acquired
 * ```
 */
export class TokenStore<E extends TokenColumns = TokenColumns> {
  private readonly claims: TokenClaims<E>;

  constructor(
    private readonly table: TokenTable<E>,
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {
    this.claims = new TokenClaims(table, database, clock);
  }

  /** The state of a row; {@link EMPTY_STATE} where there is none yet. */
  async load(key: string): Promise<TokenState> {
    const row = await this.database.read((manager) =>
      manager.findOne(this.table.entity, { where: this.table.identity(key) as object }),
    );
    return row ? this.toState(row as E, key) : EMPTY_STATE;
  }

  /** Takes the lease of a row, if nobody holds one and the generation is as seen. */
  async acquire(key: string, lease: Lease): Promise<boolean> {
    if (this.table.createRows !== false) await this.ensureRow(key);
    return this.changes((manager) =>
      this.update(key, manager, { leaseOwner: lease.owner, leaseUntil: lease.until })
        .andWhere('generation = :generation', { generation: lease.generation })
        .andWhere('(lease_until IS NULL OR lease_until <= :now)', { now: this.clock.now() })
        .execute(),
    );
  }

  /** Moves the end of a lease that is still held. */
  async renew(key: string, lease: Lease, until: number): Promise<boolean> {
    return this.changes((manager) =>
      this.held(key, lease, manager, { leaseUntil: until }).execute(),
    );
  }

  /** Saves a new token under its lease and gives the lease back; false if the lease was lost. */
  async save(key: string, lease: Lease, fresh: FreshToken, obtainedAt: number): Promise<boolean> {
    return this.changes((manager) =>
      this.held(key, lease, manager, {
        accessToken: this.box.seal(fresh.token.reveal(), this.table.location(key)),
        expiresIn: fresh.expiresIn,
        obtainedAt,
        expiresAt: obtainedAt + fresh.expiresIn * 1000,
        refreshAt: this.refreshAt(obtainedAt, fresh.expiresIn),
        generation: lease.generation + 1,
        invalidatedAt: null,
        attempts: 0,
        nextAttemptAt: null,
        lastError: null,
        ...fresh.columns,
        ...RELEASED,
      }).execute(),
    );
  }

  /** Records a failure under its lease and gives the lease back. */
  async fail(key: string, lease: Lease, failure: Failure): Promise<boolean> {
    return this.changes((manager) =>
      this.held(key, lease, manager, {
        attempts: failure.attempts,
        nextAttemptAt: failure.nextAttemptAt,
        refreshAt: this.putOff(failure),
        lastError: JSON.stringify(failure.lastError),
        ...RELEASED,
      }).execute(),
    );
  }

  /**
   * A refresh that was due waits for the next attempt, out of the way of the index by which due
   * rows are found; one that was not stays when it was.
   */
  private putOff({ due, nextAttemptAt }: Failure): () => string {
    const next = Math.round(nextAttemptAt);
    const now = Math.round(this.clock.now());
    return () =>
      due ? `${next}` : `CASE WHEN refresh_at <= ${now} THEN ${next} ELSE refresh_at END`;
  }

  /** Makes the row's token due: WeChat may have ended it. */
  async markDue(key: string): Promise<void> {
    const now = this.clock.now();
    await this.changes((manager) =>
      this.update(key, manager, { refreshAt: now })
        .andWhere('refresh_at > :now', { now })
        .execute(),
    );
  }

  /** Gives a lease back unused. */
  async release(key: string, lease: Lease): Promise<void> {
    await this.changes((manager) => this.held(key, lease, manager, RELEASED).execute());
  }

  /**
   * Marks the token of `generation` as refused by WeChat and so due, unless a refresh was forced
   * within the last `intervalMs`. A back-off stays: reports must not burn the quota.
   */
  async markInvalidated(key: string, generation: number, intervalMs: number): Promise<boolean> {
    const now = this.clock.now();
    return this.changes((manager) =>
      this.update(key, manager, { invalidatedAt: now, forcedAt: now })
        .andWhere('generation = :generation', { generation })
        .andWhere('(forced_at IS NULL OR forced_at <= :before)', { before: now - intervalMs })
        .execute(),
    );
  }

  /** When to refresh a token got at `obtainedAt`, spread as the table wants it. */
  refreshAt(obtainedAt: number, expiresIn: number): number {
    return refreshTime(obtainedAt, expiresIn, Math.random() * (this.table.spread ?? 0));
  }

  /** See {@link TokenClaims.take}. */
  claimDue(until: number, limit: number, scope: Partial<E>): Promise<ClaimedBatch> {
    return this.claims.take(until, limit, scope);
  }

  private async ensureRow(key: string): Promise<void> {
    const identity = this.table.identity(key);
    const where = identity as object;
    if (await this.database.read((manager) => manager.exists(this.table.entity, { where }))) return;
    await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .insert()
        .into(this.table.entity)
        .values({ ...identity, generation: 0, attempts: 0 } as QueryDeepPartialEntity<E>)
        .orIgnore()
        .execute(),
    );
  }

  private async changes(work: (manager: EntityManager) => Promise<UpdateResult>): Promise<boolean> {
    return (await this.database.write(work)).affected === 1;
  }

  private update(key: string, manager: EntityManager, values: ColumnValues) {
    return manager
      .createQueryBuilder()
      .update(this.table.entity)
      .set(values as QueryDeepPartialEntity<E>)
      .where(this.table.identity(key) as object);
  }

  private held(key: string, lease: Lease, manager: EntityManager, values: ColumnValues) {
    return this.update(key, manager, values)
      .andWhere('lease_owner = :owner', { owner: lease.owner })
      .andWhere('generation = :generation', { generation: lease.generation });
  }

  private toState(row: E, key: string): TokenState {
    const { accessToken } = row;
    const token =
      accessToken === null ? null : this.box.open(accessToken, this.table.location(key));
    return stateOfRow(row, token);
  }
}

/** Values of columns, or SQL that gives them. */
type ColumnValues = { [K in keyof TokenColumns]?: TokenColumns[K] | (() => string) };

const RELEASED = { leaseOwner: null, leaseUntil: null };
