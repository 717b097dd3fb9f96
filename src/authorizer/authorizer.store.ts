import { Injectable } from '@nestjs/common';
import {
  In,
  LessThanOrEqual,
  MoreThan,
  type EntityManager,
  type SelectQueryBuilder,
} from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { latestEnd } from '../common/clock-trust.js';
import type { Secret } from '../common/secret.js';
import { claimDue, type Claimed } from '../database/claim.js';
import { Database, LONG_WORK_LIMIT_MS } from '../database/database.js';
import { alongIndex, distinctAlong, piecesOf } from '../database/sql.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { LONGEST_WAIT_MS } from '../token-engine/failure-policy.js';
import { AuthorizerChange } from './authorizer-change.entity.js';
import type { AuthorizerResync } from './authorizer-resync.entity.js';
import type { Account, AccountPatch, Change, Transition } from './authorizer-transitions.js';
import { Authorizer } from './authorizer.entity.js';
import {
  authorizerIdOf,
  authorizerKey,
  authorizerOfKey,
  type AuthorizerId,
  type AuthorizerStatus,
} from './authorizer.js';
import type { AuthorizerListQuery } from './authorizer.views.js';

/** Accounts that one page looks through for what no index finds: none takes long, or is cut off. */
const SEARCHED = 10_000;
/** Accounts that one statement looks up. */
const PIECE = 200;

/** A page; `last` is what the next one comes after, undefined where there is none. */
export interface AuthorizerPage {
  rows: Authorizer[];
  last: AuthorizerId | undefined;
}

/** An account of which nothing is known, and to which nothing has happened yet. */
const EMPTY_ROW = {
  status: 'needs_reauthorization',
  type: 'unknown',
  generation: 0,
  attempts: 0,
  updatedAt: 0,
} as const;

/**
 * Rows of `authorizer` and `authorizer_change`. An authorization changes by {@link change} alone;
 * its tokens and their refreshing also by the token engine, whose `TokenStore` writes the engine's
 * columns of any table by conditional updates.
 */
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

  /** Of these accounts those that are known, on whichever platform, by {@link authorizerKey}. */
  async known(authorizerAppIds: string[]): Promise<Set<string>> {
    if (authorizerAppIds.length === 0) return new Set();
    const rows = await this.database.read((manager) =>
      manager.find(Authorizer, {
        where: { authorizerAppId: In([...new Set(authorizerAppIds)]) },
        select: { componentAppId: true, authorizerAppId: true },
      }),
    );
    return new Set(rows.map(authorizerKey));
  }

  /** Those of the accounts that are known, by appid. */
  async accounts(
    componentAppId: string,
    authorizerAppIds: string[],
  ): Promise<Map<string, Account>> {
    const where = { componentAppId, authorizerAppId: In(authorizerAppIds) };
    const rows = await this.database.read((manager) => manager.find(Authorizer, { where }));
    return new Map(rows.map((row) => [row.authorizerAppId, this.toAccount(row)]));
  }

  /**
   * A page in the order of (component, account), which no change moves. One that has looked through
   * many may end before it is full.
   */
  async page(filter: AuthorizerListQuery): Promise<AuthorizerPage> {
    const { limit, status, component, failing } = filter;
    if (status && !component) return this.pageByPlatform(filter);
    const failed = failing ? await this.failing(filter) : undefined;
    if (failed) return this.pageAmong(failed, filter);
    return this.database.read(async (manager) => {
      const select = this.walk(filter, manager);
      const isSearch = applySearch(select, filter);
      const end = isSearch ? await this.endOfSearch(filter, manager) : undefined;
      if (end) this.place(select, '<=', end);
      const rows = await select.limit(limit).getMany();
      return { rows, last: rows.length === limit ? rows.at(-1) : end };
    });
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

  /** Accounts by platform and status; comes from an index alone. */
  async counts(): Promise<{ componentAppId: string; status: AuthorizerStatus; count: number }[]> {
    const rows = await this.database.read((manager) =>
      manager
        .createQueryBuilder(Authorizer, 'a')
        .select('a.componentAppId', 'componentAppId')
        .addSelect('a.status', 'status')
        .addSelect('COUNT(*)', 'count')
        .groupBy('a.componentAppId')
        .addGroupBy('a.status')
        .getRawMany<{ componentAppId: string; status: AuthorizerStatus; count: string | number }>(),
    );
    return rows.map((row) => ({ ...row, count: Number(row.count) }));
  }

  /**
   * Seconds by which each platform's oldest refresh that is due is late; 0 where none is. Comes from
   * an index alone.
   */
  async lateness(): Promise<{ componentAppId: string; seconds: number }[]> {
    const now = this.clock.now();
    const rows = await this.database.read((manager) =>
      manager
        .createQueryBuilder(Authorizer, 'a')
        .select('a.componentAppId', 'componentAppId')
        .addSelect('MIN(a.refreshAt)', 'oldest')
        .groupBy('a.componentAppId')
        .getRawMany<{ componentAppId: string; oldest: string | number | null }>(),
    );
    return rows.map(({ componentAppId, oldest }) => ({
      componentAppId,
      seconds: oldest === null ? 0 : Math.max(0, now - Number(oldest)) / 1000,
    }));
  }

  /**
   * Changes an account and its history under its row's lock. An account that is not there is made
   * first: as one without a token.
   * @param decide one of the transitions; gives nothing where the fact changes nothing.
   * @param manager of the transaction that the fact is recorded in; without it, in one of its own.
   * @returns the account as it is afterwards; undefined where nothing changed.
   */
  async change(
    id: AuthorizerId,
    decide: (account: Account, now: number) => Transition | undefined,
    manager?: EntityManager,
  ): Promise<Account | undefined> {
    const { componentAppId, authorizerAppId } = id;
    const [after] = await this.changeAll(componentAppId, [authorizerAppId], decide, manager);
    return after;
  }

  /** The same for accounts of one platform, all different; those that changed. */
  async changeAll(
    componentAppId: string,
    authorizerAppIds: string[],
    decide: (account: Account, now: number) => Transition | undefined,
    manager?: EntityManager,
  ): Promise<Account[]> {
    const change = async (within: EntityManager): Promise<Account[]> => {
      const rows = await this.lock(componentAppId, authorizerAppIds, within);
      const now = this.clock.now();
      const changed: Account[] = [];
      for (const row of rows) {
        const account = this.toAccount(row);
        const transition = decide(account, now);
        if (!transition) continue;
        const { patch, history } = transition;
        if (patch) await this.save(account, patch, now, within);
        for (const line of history) await this.note(account, line, now, within);
        changed.push({ ...account, ...patch });
      }
      return changed;
    };
    return manager ? change(manager) : this.database.transaction(change);
  }

  /** A service has read the account's token at `usedAt` (Unix milliseconds). */
  async noteUse(id: AuthorizerId, usedAt: number): Promise<void> {
    await this.database.transaction((manager) => manager.update(Authorizer, id, { usedAt }));
  }

  /** Takes up to `limit` accounts whose information is due, oldest first, and leaves them for `forMs`. */
  async claimInfos(limit: number, forMs: number): Promise<Claimed<Authorizer>> {
    const now = this.clock.now();
    const lease = { infoDueAt: now + forMs };
    const where = { infoDueAt: LessThanOrEqual(now) };
    const due = { entity: Authorizer, where, order: 'infoDueAt', limit, lease } as const;
    const { rows, more } = await this.database.transaction((manager) => claimDue(manager, due));
    return { rows: rows.map((row) => Object.assign(row, lease)), more };
  }

  /**
   * Makes information due that is due further ahead than any wait: a clock that was ahead wrote it.
   * Apart from the claim, whose locks would then reach to the end of the index and hold up other
   * hosts.
   */
  async recallInfos(): Promise<void> {
    const now = this.clock.now();
    const infoDueAt = MoreThan(latestEnd(LONGEST_WAIT_MS, now));
    const far = await this.database.read((manager) => manager.existsBy(Authorizer, { infoDueAt }));
    if (!far) return;
    await this.database.write((manager) =>
      manager.update(Authorizer, { infoDueAt }, { infoDueAt: now }),
    );
  }

  /** Moves the next fetch of a claimed account's information, unless it was asked for again since. */
  async postponeInfo(claimed: Authorizer, infoDueAt: number | null): Promise<void> {
    const which = { ...authorizerIdOf(claimed), infoDueAt: claimed.infoDueAt as number };
    await this.database.write((manager) => manager.update(Authorizer, which, { infoDueAt }));
  }

  /** Marks accounts as listed by WeChat. */
  async markListed(
    { componentAppId, resyncId }: AuthorizerResync,
    authorizerAppIds: string[],
  ): Promise<void> {
    if (authorizerAppIds.length === 0) return;
    const which = { componentAppId, authorizerAppId: In(authorizerAppIds) };
    await this.database.write((manager) => manager.update(Authorizer, which, { resyncId }));
  }

  /**
   * Accounts that WeChat did not list, and that did not authorize since it was asked: their
   * information is to be fetched, which says whether they are gone. The list alone does not: it
   * moves under the paging when an account before withdraws.
   */
  async askAboutUnlisted({ componentAppId, resyncId, startedAt }: AuthorizerResync): Promise<void> {
    const now = this.clock.now();
    await this.database.write(
      (manager) =>
        manager
          .createQueryBuilder()
          .update(Authorizer)
          .set({ infoDueAt: now })
          .where("component_appid = :componentAppId AND status <> 'revoked'", { componentAppId })
          .andWhere('(resync_id IS NULL OR resync_id <> :resyncId)', { resyncId })
          // What a clock that was ahead wrote says nothing of when that was.
          .andWhere(
            '(last_authorized_at IS NULL OR last_authorized_at < :startedAt' +
              ' OR last_authorized_at > :ahead)',
            { startedAt, ahead: latestEnd(0, now) },
          )
          .execute(),
      LONG_WORK_LIMIT_MS,
    );
  }

  /** The refresh token of a row; null where WeChat gave none. */
  refreshTokenOf(row: AuthorizerId & Pick<Authorizer, 'refreshToken'>): Secret | null {
    if (row.refreshToken === null) return null;
    return this.box.open(row.refreshToken, location('authorizerRefreshToken', row));
  }

  sealRefreshToken(id: AuthorizerId, refreshToken: Secret): string {
    return this.box.seal(refreshToken.reveal(), location('authorizerRefreshToken', id));
  }

  /** Platform by platform, each along the index that has the accounts of a status together. */
  private async pageByPlatform(filter: AuthorizerListQuery): Promise<AuthorizerPage> {
    const from = filter.after ? authorizerOfKey(filter.after) : undefined;
    const rows: Authorizer[] = [];
    const platforms = await this.database.read((manager) =>
      distinctAlong(manager, 'authorizer', 'component_appid'),
    );
    for (const component of platforms) {
      if (from && component < from.componentAppId) continue;
      const after = from?.componentAppId === component ? filter.after : undefined;
      const limit = filter.limit - rows.length;
      const page = await this.page({ ...filter, component, after, limit });
      rows.push(...page.rows);
      if (page.last) return { rows, last: page.last };
    }
    return { rows, last: undefined };
  }

  /**
   * The accounts whose last refresh failed, from where the filter begins, by an index of their own;
   * undefined where they are so many that a walk through all accounts finds them soon.
   */
  private async failing({
    component,
    after,
  }: AuthorizerListQuery): Promise<AuthorizerId[] | undefined> {
    const index = alongIndex(this.database.dialect, 'authorizer_failing');
    const rows: AuthorizerId[] = await this.database.read((manager) =>
      manager.query(
        `SELECT component_appid AS componentAppId, authorizer_appid AS authorizerAppId
         FROM authorizer ${index} WHERE attempts > 0 LIMIT ${SEARCHED + 1}`,
      ),
    );
    if (rows.length > SEARCHED) return undefined;
    const begin = after ?? '';
    return rows
      .filter((row) => component === undefined || row.componentAppId === component)
      .filter((row) => authorizerKey(row) > begin)
      .toSorted((one, other) => (authorizerKey(one) < authorizerKey(other) ? -1 : 1));
  }

  /** Those of some accounts, in their order, that a filter means. */
  private async pageAmong(
    accounts: AuthorizerId[],
    filter: AuthorizerListQuery,
  ): Promise<AuthorizerPage> {
    const rows: Authorizer[] = [];
    for (const piece of piecesOf(accounts, PIECE)) {
      const found = await this.database.read((manager) => {
        const select = this.walk({ ...filter, component: undefined, after: undefined }, manager);
        applySearch(select, filter);
        // By the account alone: its platform would lead MySQL through all accounts of that one.
        const ids = piece.map(({ authorizerAppId }) => authorizerAppId);
        return select.andWhere('a.authorizerAppId IN (:...ids)', { ids }).getMany();
      });
      const wanted = new Set(piece.map(authorizerKey));
      rows.push(...found.filter((row) => wanted.has(authorizerKey(row))));
      if (rows.length < filter.limit) continue;
      const shown = rows.slice(0, filter.limit);
      return { rows: shown, last: shown.at(-1) };
    }
    return { rows, last: undefined };
  }

  /** Along an index, from where the filter begins. */
  private walk(
    { component, status, after }: AuthorizerListQuery,
    manager: EntityManager,
  ): SelectQueryBuilder<Authorizer> {
    const select = manager
      .createQueryBuilder(Authorizer, 'a')
      .orderBy('a.componentAppId', 'ASC')
      .addOrderBy('a.authorizerAppId', 'ASC');
    if (component) select.andWhere('a.componentAppId = :component', { component });
    if (status) select.andWhere('a.status = :status', { status });
    if (after) this.place(select, '>', authorizerOfKey(after));
    return select;
  }

  /** The account that a search which begins here looks at last; undefined for the very last one. */
  private async endOfSearch(
    filter: AuthorizerListQuery,
    manager: EntityManager,
  ): Promise<AuthorizerId | undefined> {
    const [end] = await this.walk(filter, manager)
      .select(['a.componentAppId', 'a.authorizerAppId'])
      .offset(SEARCHED - 1)
      .limit(1)
      .getMany();
    return end;
  }

  /** Restricts to what comes after an account, or not. Each database finds the place in its own form. */
  private place(
    select: SelectQueryBuilder<Authorizer>,
    sign: '>' | '<=',
    { componentAppId, authorizerAppId }: AuthorizerId,
  ): void {
    const [c, a] = sign === '>' ? ['afterComponent', 'after'] : ['endComponent', 'end'];
    const beyond = sign === '>' ? '>' : '<';
    select.andWhere(
      this.database.dialect === 'mysql'
        ? `(a.componentAppId ${beyond} :${c} OR ` +
            `(a.componentAppId = :${c} AND a.authorizerAppId ${sign} :${a}))`
        : `(a.componentAppId, a.authorizerAppId) ${sign} (:${c}, :${a})`,
      { [c as string]: componentAppId, [a as string]: authorizerAppId },
    );
  }

  /** The rows, locked until the transaction ends. */
  private async lock(
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
   * Writes the columns of a locked row. Not by comparison with what the transaction reads: that may
   * be an older row than the one that is locked.
   */
  private async save(
    id: AuthorizerId,
    { accessToken, refreshToken, ...columns }: AccountPatch,
    updatedAt: number,
    manager: EntityManager,
  ): Promise<void> {
    const sealed = {
      ...(accessToken !== undefined && {
        accessToken:
          accessToken && this.box.seal(accessToken.reveal(), location('authorizerAccessToken', id)),
      }),
      ...(refreshToken && { refreshToken: this.sealRefreshToken(id, refreshToken) }),
    };
    const values = { ...columns, ...sealed, updatedAt };
    await manager.update(Authorizer, authorizerIdOf(id), values);
  }

  private async note(
    id: AuthorizerId,
    { what, detail }: Change,
    at: number,
    manager: EntityManager,
  ): Promise<void> {
    const line = { what, detail: detail ? JSON.stringify(detail) : null };
    await manager.insert(AuthorizerChange, { id: uuidv7(), ...authorizerIdOf(id), at, ...line });
  }

  private toAccount(row: Authorizer): Account {
    return { ...row, refreshToken: this.refreshTokenOf(row) };
  }
}

function location(
  column: 'authorizerRefreshToken' | 'authorizerAccessToken',
  { componentAppId, authorizerAppId }: AuthorizerId,
): string {
  return secretLocation(encryptedColumns[column], componentAppId, authorizerAppId);
}

/**
 * Restricts to what no index finds of a filter.
 * @returns whether there is anything of that kind.
 */
function applySearch(
  select: SelectQueryBuilder<Authorizer>,
  { type, accountStatus, search, lacks, failing }: AuthorizerListQuery,
): boolean {
  const conditions: [sql: string, values?: Record<string, unknown>][] = [];
  if (type) conditions.push(['a.type = :type', { type }]);
  if (accountStatus !== undefined) {
    conditions.push(['a.accountStatus = :accountStatus', { accountStatus }]);
  }
  if (failing !== undefined) conditions.push([failing ? 'a.attempts > 0' : 'a.attempts = 0']);
  if (lacks !== undefined) {
    // The column is a JSON array of numbers: `[1,15]`.
    const list = "REPLACE(REPLACE(a.funcInfo, '[', ','), ']', ',')";
    const sql = `(a.funcInfo IS NULL OR ${list} NOT LIKE :lacks)`;
    conditions.push([sql, { lacks: `%,${lacks},%` }]);
  }
  if (search) {
    const pattern = `%${search.replace(/[!%_]/g, '!$&')}%`;
    conditions.push([
      "(a.authorizerAppId LIKE :pattern ESCAPE '!' OR a.nickName LIKE :pattern ESCAPE '!' " +
        "OR a.principalName LIKE :pattern ESCAPE '!' OR a.userName LIKE :pattern ESCAPE '!')",
      { pattern },
    ]);
  }
  for (const [sql, values] of conditions) select.andWhere(sql, values);
  return conditions.length > 0;
}
