import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import { Database } from '../database/database.js';
import { FORCE_INTERVAL_MS, refreshTime } from '../token-engine/refresh-decision.js';
import type { Authorization } from '../wechat-api/component-api.js';
import { activate, clearRefreshing, endTokens } from './authorizer-columns.js';
import type { Authorizer } from './authorizer.entity.js';
import type { AuthorizerId, AuthorizerStatus, CodeSource } from './authorizer.js';
import { AuthorizerStore, type Change } from './authorizer.store.js';

/** Refreshes are spread over this share of a token's life. */
export const REFRESH_SPREAD = 0.25;

/** When and how an authorization was granted. */
export interface GrantFacts {
  /** When the exchange of its code began, in Unix milliseconds. */
  obtainedAt: number;
  /** CreateTime of its event in Unix seconds; null where only the redirect has come. */
  eventTime: number | null;
  source: CodeSource;
}

/** What becomes of an authorization, and its history. See {@link AuthorizerStatus}. */
@Injectable()
export class AuthorizerTransitions {
  constructor(
    private readonly store: AuthorizerStore,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * An authorization was granted or changed: tokens and permission sets are replaced, whoever is
   * refreshing with the old ones can not save any more, and the information is to be fetched. If
   * it was withdrawn since, WeChat is asked which of the two holds.
   */
  async authorize(
    id: AuthorizerId,
    granted: Authorization,
    facts: GrantFacts,
    manager: EntityManager,
  ): Promise<void> {
    const row = await this.store.lock(id, manager);
    const now = this.clock.now();
    const effective = !withdrawnSince(row, facts);
    row.infoDueAt = now;
    if (effective) {
      row.eventTime = Math.max(row.eventTime ?? 0, facts.eventTime ?? 0) || null;
      row.funcInfo = JSON.stringify(granted.funcInfo);
      if (granted.refreshToken) {
        row.refreshToken = this.store.sealRefreshToken(row, granted.refreshToken);
      }
      row.lastAuthorizedAt = now;
      activate(row, now);
      this.setAccessToken(row, granted, facts.obtainedAt);
    }
    await this.store.save(row, manager);
    const { funcInfo } = granted;
    const tokens = granted.accessToken !== undefined;
    const detail = { source: facts.source, funcInfo, tokens, ...(!effective && { effective }) };
    await this.store.note(id, { what: 'authorized', detail }, manager);
  }

  /**
   * The event of a code that was exchanged, or refused, before it came: its time counts, and
   * WeChat is asked about what the hub does not have.
   */
  async confirm(
    id: AuthorizerId,
    { eventTime, exchanged }: { eventTime: number; exchanged: boolean },
    manager: EntityManager,
  ): Promise<void> {
    const row = await this.store.lock(id, manager);
    if (eventTime < (row.eventTime ?? 0)) return;
    row.eventTime = eventTime;
    if (!exchanged || row.status !== 'active') this.ask(row);
    await this.store.save(row, manager);
  }

  /** A code of the account was refused: WeChat's record of it is asked instead. */
  async codeRefused(id: AuthorizerId, change: Change, manager: EntityManager): Promise<void> {
    const row = await this.store.lock(id, manager);
    this.ask(row);
    await this.store.save(row, manager);
    await this.store.note(id, change, manager);
  }

  /**
   * The account withdrew its authorization at `eventTime` (Unix seconds): its tokens are dead. An
   * event that is older than the last authorization, or comes again, changes nothing.
   */
  async revoke(id: AuthorizerId, eventTime: number, manager: EntityManager): Promise<void> {
    const row = await this.store.lock(id, manager);
    const stale = eventTime < (row.eventTime ?? 0);
    const effective = !stale && row.status !== 'revoked';
    if (!stale) row.eventTime = eventTime;
    if (effective) {
      row.revokedAt = eventTime * 1000;
      endTokens(row, 'revoked');
    }
    if (!stale) await this.store.save(row, manager);
    await this.store.note(id, { what: 'unauthorized', detail: { eventTime, effective } }, manager);
  }

  /**
   * WeChat said that it gives no tokens for the account, to somebody who saw `generation`.
   * @returns when; undefined if something has happened to the authorization since, or it was so.
   */
  async stop(
    id: AuthorizerId,
    generation: number,
    status: Exclude<AuthorizerStatus, 'active'>,
    change: Change,
  ): Promise<number | undefined> {
    return this.database.transaction(async (manager) => {
      const row = await this.store.lock(id, manager);
      if (row.generation !== generation || row.status === status) return undefined;
      const now = this.clock.now();
      if (status === 'revoked') row.revokedAt = now;
      endTokens(row, status);
      await this.store.save(row, manager);
      await this.store.note(id, change, manager);
      return now;
    });
  }

  /**
   * WeChat's record of the account is to be fetched, and its access token may be void. A fetch that
   * failed, or is under way, is made again in 10 s, however many events ask for it.
   */
  private ask(row: Authorizer): void {
    const now = this.clock.now();
    row.infoDueAt = Math.min(row.infoDueAt ?? now, now + FORCE_INTERVAL_MS);
    if (row.status === 'active' && row.refreshToken !== null) row.refreshAt = now;
  }

  private setAccessToken(row: Authorizer, granted: Authorization, obtainedAt: number): void {
    const { accessToken, expiresIn } = granted;
    const usable = accessToken !== undefined && expiresIn !== undefined;
    // WeChat voids the access token before it, so without a new one there is none.
    row.accessToken = usable ? this.store.sealAccessToken(row, accessToken) : null;
    row.expiresIn = usable ? expiresIn : null;
    row.obtainedAt = usable ? obtainedAt : null;
    row.expiresAt = usable ? obtainedAt + expiresIn * 1000 : null;
    if (usable && row.refreshToken !== null) {
      row.refreshAt = refreshTime(obtainedAt, expiresIn, Math.random() * REFRESH_SPREAD);
    }
    clearRefreshing(row);
  }
}

/** Whether a withdrawal is newer than the grant, or may be: it came while the code was exchanged. */
function withdrawnSince(row: Authorizer, { obtainedAt, eventTime }: GrantFacts): boolean {
  if (row.status !== 'revoked') return false;
  return row.updatedAt > obtainedAt || (eventTime !== null && eventTime < (row.eventTime ?? 0));
}
