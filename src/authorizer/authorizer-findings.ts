import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import type { Secret } from '../common/secret.js';
import { Database } from '../database/database.js';
import type { Authorization, ListedAuthorizer } from '../wechat-api/component-api.js';
import { activate, endTokens } from './authorizer-columns.js';
import type { Authorizer } from './authorizer.entity.js';
import { changesOf, recordOfInfo, suspension } from './authorizer-info.js';
import type { AuthorizerId } from './authorizer.js';
import { AuthorizerStore } from './authorizer.store.js';

/** The row as it was when WeChat was asked. */
export interface Asked extends AuthorizerId {
  generation: number;
  infoDueAt: number | null;
}

/** Keeps what WeChat answers when the hub asks about an account: by its information, or its list. */
@Injectable()
export class AuthorizerFindings {
  constructor(
    private readonly store: AuthorizerStore,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * Keeps what api_get_authorizer_info said; fields that it did not have stay as they are. What it
   * says of the authorization counts only if nothing has happened to that since WeChat was asked.
   */
  async keepInfo(
    asked: Asked,
    answer: { info: Record<string, unknown>; authorization: Authorization },
  ): Promise<void> {
    await this.database.transaction(async (manager) => {
      const row = await this.store.lock(asked, manager);
      const before = { ...row };
      Object.assign(row, recordOfInfo(answer.info));
      if (row.infoDueAt === asked.infoDueAt) row.infoDueAt = null;
      if (row.generation === asked.generation) {
        const { funcInfo } = answer.authorization;
        if (funcInfo.length > 0) row.funcInfo = JSON.stringify(funcInfo);
        await this.keepStanding(row, answer, manager);
      }
      const changes = changesOf(before, row);
      await this.store.save(row, manager);
      if (changes) {
        await this.store.note(asked, { what: 'info_changed', detail: changes }, manager);
      }
    });
  }

  /** Keeps lines of api_get_authorizer_list that WeChat gave at `asOf`; those that were news. */
  async keepListed(
    componentAppId: string,
    lines: ListedAuthorizer[],
    asOf: number,
  ): Promise<AuthorizerId[]> {
    return this.database.transaction(async (manager) => {
      const listed = new Map(lines.map((line) => [line.authorizerAppId, line.refreshToken]));
      const news: AuthorizerId[] = [];
      for (const row of await this.store.lockAll(componentAppId, [...listed.keys()], manager)) {
        const refreshToken = listed.get(row.authorizerAppId);
        if (await this.keepLine(row, refreshToken, asOf, manager)) news.push(row);
      }
      return news;
    });
  }

  /** Whether a line of the list says what the row says. */
  isKnown(row: Authorizer, refreshToken: Secret | undefined): boolean {
    return row.status === 'active' && !this.isOther(row, refreshToken);
  }

  private async keepLine(
    row: Authorizer,
    refreshToken: Secret | undefined,
    asOf: number,
    manager: EntityManager,
  ): Promise<boolean> {
    // What happened since the list was made counts more.
    if (row.updatedAt > asOf || (row.obtainedAt ?? 0) > asOf) return false;
    // Whether it is still frozen, its information says.
    if (row.status === 'suspended') row.infoDueAt = this.clock.now();
    else if (!(await this.adopt(row, refreshToken, manager))) return false;
    await this.store.save(row, manager);
    return true;
  }

  private async keepStanding(
    row: Authorizer,
    { info, authorization }: { info: Record<string, unknown>; authorization: Authorization },
    manager: EntityManager,
  ): Promise<void> {
    const accountStatus = suspension(info);
    if (accountStatus === undefined) {
      await this.adopt(row, authorization.refreshToken, manager);
    } else if (row.status !== 'suspended') {
      endTokens(row, 'suspended');
      await this.store.note(row, { what: 'suspended', detail: { accountStatus } }, manager);
    }
  }

  /** WeChat has the authorization on record, so it stands. */
  private async adopt(
    row: Authorizer,
    refreshToken: Secret | undefined,
    manager: EntityManager,
  ): Promise<boolean> {
    const other = this.isOther(row, refreshToken);
    // A refresh token that was refused is no better for being listed.
    const useless = row.status === 'needs_reauthorization' && !other && row.refreshToken !== null;
    if ((row.status === 'active' && !other) || useless) return false;
    if (refreshToken && other) {
      row.refreshToken = this.store.sealRefreshToken(row, refreshToken);
    }
    const { status } = row;
    activate(row, this.clock.now());
    // The information was never fetched.
    if (row.type === 'unknown') row.infoDueAt ??= this.clock.now();
    const what = other ? 'refresh_token_repaired' : 'found_authorized';
    await this.store.note(row, { what, detail: { before: status } }, manager);
    return true;
  }

  /** Whether WeChat names a refresh token that the row does not have. */
  private isOther(row: Authorizer, refreshToken: Secret | undefined): boolean {
    if (!refreshToken) return false;
    return !this.store.refreshTokenOf(row)?.equals(refreshToken.reveal());
  }
}
