import {
  LessThanOrEqual,
  Raw,
  type EntityManager,
  type EntityTarget,
  type ObjectLiteral,
  type QueryDeepPartialEntity,
  type UpdateResult,
} from 'typeorm';
import { v4 as uuidv4 } from 'uuid';
import type { Clock } from '../common/clock.js';
import { isOverSql, latestEnd } from '../common/clock-trust.js';
import type { Secret } from '../common/secret.js';
import { claimDue } from '../database/claim.js';
import type { Database } from '../database/database.js';
import type { SecretBox } from '../secrets/secret-box.js';
import { LONGEST_WAIT_MS } from './failure-policy.js';
import {
  EXCHANGE_INTERVAL_MS,
  FORCE_INTERVAL_MS,
  LEASE_MS,
  refreshTime,
} from './refresh-decision.js';
import type { TokenColumns } from './token-columns.js';
import { EMPTY_STATE, stateOfRow, type LastError, type TokenState } from './token-state.js';

/** A token reported as refused is replaced at most this often, in milliseconds. */
const REPORT_INTERVAL_MS = 30_000;

/** Which table, which row of it, and the place of its secret. */
export interface TokenTable<E extends TokenColumns> {
  entity: EntityTarget<E>;
  /** Identity columns of a row, by property. */
  identity: (key: string) => Partial<E>;
  /** The inverse of `identity`. */
  key(row: E): string;
  location: (key: string) => string;
  /**
   * Largest share of a token's life by which its refresh is moved forward at random, so that
   * tokens that were got together are not refreshed together. Default 0.
   */
  spread?: number;
  /** How long before its end a token is refreshed, in milliseconds; default 10 minutes. */
  marginMs?: number;
  /** Whether a row is made for a key that has none; default true. */
  createRows?: boolean;
  /**
   * Whether the token of a due row is not worth keeping warm: it leaves the index of due rows and
   * is refreshed when somebody reads it.
   */
  isCold?(row: E): boolean;
}

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

/** A row whose lease was taken because it is due. */
export interface Claim {
  key: string;
  /** As it was before; without the token, which its refresh does not need. */
  state: TokenState;
  lease: Lease;
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
 * Rows of tokens. Every write here is one conditional UPDATE: it takes effect only while what the
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
  constructor(
    private readonly table: TokenTable<E>,
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /**
   * The state of a row; {@link EMPTY_STATE} where there is none yet. A token that cannot be
   * decrypted counts as none, so that another is got and its row alone is concerned.
   */
  async load(key: string): Promise<TokenState> {
    const row = await this.database.read((manager) =>
      manager.findOne(this.table.entity, { where: this.table.identity(key) as object }),
    );
    return row ? this.toState(row as E, key) : EMPTY_STATE;
  }

  /**
   * Takes the lease of a row, if nobody holds one and the generation is as seen.
   * @param forced for an exchange that is not due: only if none was forced a moment ago.
   */
  async acquire(key: string, lease: Lease, forced = false): Promise<boolean> {
    if (this.table.createRows !== false) await this.ensureRow(key);
    const now = this.clock.now();
    const { owner: leaseOwner, until: leaseUntil, generation } = lease;
    return this.changes((manager) => {
      const update = this.update(key, manager, {
        leaseOwner,
        leaseUntil,
        ...(forced && { forcedAt: now }),
      })
        .andWhere('generation = :generation', { generation })
        .andWhere(isOverSql('lease_until', LEASE_MS, now));
      if (forced) update.andWhere(forceableSql(FORCE_INTERVAL_MS, now));
      return update.execute();
    });
  }

  /** Moves the end of a lease that is still held. */
  async renew(key: string, lease: Lease, until: number): Promise<boolean> {
    return this.changes((manager) =>
      this.held(key, lease, manager, { leaseUntil: until }).execute(),
    );
  }

  /** Saves a new token under its lease and gives the lease back; false if the lease was lost. */
  async save(key: string, lease: Lease, fresh: FreshToken, obtainedAt: number): Promise<boolean> {
    const refreshAt = this.refreshAt(obtainedAt, fresh.expiresIn);
    const earliest = obtainedAt + EXCHANGE_INTERVAL_MS;
    return this.changes((manager) =>
      this.held(key, lease, manager, {
        accessToken: this.box.seal(fresh.token.reveal(), this.table.location(key)),
        expiresIn: fresh.expiresIn,
        obtainedAt,
        expiresAt: obtainedAt + fresh.expiresIn * 1000,
        refreshAt,
        generation: lease.generation + 1,
        invalidatedAt: null,
        attempts: 0,
        // A life of seconds makes no exchange out of every read.
        nextAttemptAt: refreshAt < earliest ? earliest : null,
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
        refreshAt: this.putOff(failure, lease),
        lastError: JSON.stringify(failure.lastError),
        ...RELEASED,
      }).execute(),
    );
  }

  /**
   * A refresh that was due waits for the next attempt, out of the way of the index by which due
   * rows are found; one that was not stays when it was.
   */
  private putOff({ due, nextAttemptAt }: Failure, { until }: Lease): () => string {
    const next = Math.round(nextAttemptAt);
    // A claim has moved what was due to the end of its lease.
    const dueBy = Math.round(Math.max(this.clock.now(), until));
    return () =>
      due ? `${next}` : `CASE WHEN refresh_at <= ${dueBy} THEN ${next} ELSE refresh_at END`;
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
   * Marks the token of `generation` as refused by WeChat and so due, unless a refresh was forced a
   * moment ago. A back-off stays: reports must not burn the quota.
   */
  async markInvalidated(key: string, generation: number): Promise<boolean> {
    const now = this.clock.now();
    return this.changes((manager) =>
      this.update(key, manager, { invalidatedAt: now, forcedAt: now })
        .andWhere('generation = :generation', { generation })
        .andWhere(forceableSql(REPORT_INTERVAL_MS, now))
        .execute(),
    );
  }

  /** When to refresh a token got at `obtainedAt`, spread as the table wants it. */
  refreshAt(obtainedAt: number, expiresIn: number): number {
    const { spread = 0, marginMs } = this.table;
    return refreshTime(obtainedAt, expiresIn, Math.random() * spread, marginMs);
  }

  /**
   * Takes the leases of up to `limit` rows of `scope` that are due and may be tried, oldest first:
   * the way for many rows and many hosts. Cold rows are let be.
   * @param until end of the leases, in Unix milliseconds.
   */
  async claimDue(
    until: number,
    limit: number,
    scope: Partial<E>,
  ): Promise<{ claims: Claim[]; more: boolean }> {
    const owner = uuidv4();
    const now = this.clock.now();
    const due: ColumnConditions = {
      refreshAt: LessThanOrEqual(now),
      leaseUntil: Raw((column) => isOverSql(column, LEASE_MS, now)),
      nextAttemptAt: Raw((column) => isOverSql(column, LONGEST_WAIT_MS, now)),
    };
    // Out of the way of the next claim; a host that is gone by the end of the lease leaves them due.
    const lease: Partial<TokenColumns> = { leaseOwner: owner, leaseUntil: until, refreshAt: until };
    return this.database.transaction(async (manager) => {
      const { rows, more } = await claimDue<E>(manager, {
        entity: this.table.entity,
        where: { ...scope, ...due },
        order: 'refreshAt',
        limit,
        lease: lease as Partial<E>,
      });
      const cold = rows.filter((row) => this.table.isCold?.(row));
      await this.coolDown(cold, manager);
      const claims = rows
        .filter((row) => !cold.includes(row))
        .map((row) => ({
          key: this.table.key(row),
          state: stateOfRow(row, null),
          lease: { owner, generation: row.generation, until },
        }));
      return { claims, more };
    });
  }

  /**
   * Makes rows of `scope` due whose refresh time is further ahead than any life or wait: it was
   * written under a wrong clock, and they would not be found again.
   */
  async recallFar(scope: Partial<E>): Promise<void> {
    const now = this.clock.now();
    await this.database.write((manager) =>
      this.updateWhere(scope, manager, { refreshAt: now })
        .andWhere('refresh_at > :far', { far: latestEnd(LONGEST_WAIT_MS, now) })
        .execute(),
    );
  }

  private async coolDown(rows: E[], manager: EntityManager): Promise<void> {
    if (rows.length === 0) return;
    const identities = rows.map((row) => this.table.identity(this.table.key(row)));
    await this.updateWhere(identities, manager, { refreshAt: null, ...RELEASED }).execute();
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
    return this.updateWhere(this.table.identity(key), manager, values);
  }

  private updateWhere(
    where: Partial<E> | Partial<E>[],
    manager: EntityManager,
    values: ColumnValues,
  ) {
    return manager
      .createQueryBuilder()
      .update(this.table.entity)
      .set(values as QueryDeepPartialEntity<E>)
      .where(where as ObjectLiteral);
  }

  private held(key: string, lease: Lease, manager: EntityManager, values: ColumnValues) {
    return this.update(key, manager, values)
      .andWhere('lease_owner = :owner', { owner: lease.owner })
      .andWhere('generation = :generation', { generation: lease.generation });
  }

  private toState(row: E, key: string): TokenState {
    const { accessToken } = row;
    const stored =
      accessToken === null ? null : this.box.open(accessToken, this.table.location(key));
    const token = stored?.problem ? null : stored;
    return { ...stateOfRow(row, token), hasToken: token !== null };
  }
}

type ColumnConditions = { [K in keyof TokenColumns]?: unknown };

/** Values of columns, or SQL that gives them. */
type ColumnValues = { [K in keyof TokenColumns]?: TokenColumns[K] | (() => string) };

/** In SQL: no refresh was forced within the last `intervalMs`. */
function forceableSql(intervalMs: number, now: number): string {
  return isOverSql(`forced_at + ${intervalMs}`, intervalMs, now);
}

const RELEASED = { leaseOwner: null, leaseUntil: null };
