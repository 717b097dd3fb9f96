import { Injectable } from '@nestjs/common';
import type { SelectQueryBuilder } from 'typeorm';
import { Database } from '../database/database.js';
import { ComponentCall } from '../token/component-call.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { Authorizer } from './authorizer.entity.js';
import type { AuthorizerChange } from './authorizer-change.entity.js';
import {
  authorizerKey,
  authorizerOfKey,
  AuthorizerUnknownError,
  type AuthorizerId,
} from './authorizer.js';
import { AuthorizerStore } from './authorizer.store.js';
import type { AuthorizerListQuery } from './authorizer.views.js';
import { lastOfFullPage } from '../http/list-query.js';

/** Lines of an account's history that its detail shows. */
const HISTORY = 200;
/** Rows that the export reads at once. */
const EXPORT_PAGE = 500;

/** Inspection of the accounts, and their options at WeChat. */
@Injectable()
export class AuthorizerService {
  constructor(
    private readonly store: AuthorizerStore,
    private readonly database: Database,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
  ) {}

  /** A page in the order of (component, account), which no change moves. */
  async list(query: AuthorizerListQuery): Promise<{ rows: Authorizer[]; next: string | null }> {
    const rows = await this.database.read((manager) => {
      const select = manager.createQueryBuilder(Authorizer, 'a');
      applyFilter(select, query);
      return select
        .orderBy('a.componentAppId', 'ASC')
        .addOrderBy('a.authorizerAppId', 'ASC')
        .limit(query.limit)
        .getMany();
    });
    const last = lastOfFullPage(rows, query.limit);
    return { rows, next: last ? authorizerKey(last) : null };
  }

  /** All accounts of a filter, page by page. */
  async *all(query: Omit<AuthorizerListQuery, 'limit' | 'after'>): AsyncGenerator<Authorizer> {
    let after: string | undefined;
    do {
      const { rows, next } = await this.list({ ...query, limit: EXPORT_PAGE, after });
      yield* rows;
      after = next ?? undefined;
    } while (after !== undefined);
  }

  /** @throws {AuthorizerUnknownError} */
  async get(id: AuthorizerId): Promise<Authorizer> {
    const row = await this.store.find(id);
    if (!row) throw new AuthorizerUnknownError(id.authorizerAppId);
    return row;
  }

  /** Of these accounts those that are known, by {@link authorizerKey}. */
  async known(authorizerAppIds: string[]): Promise<Set<string>> {
    return new Set((await this.store.known(authorizerAppIds)).map(authorizerKey));
  }

  /** WeChat's last answer about the account, as JSON. */
  infoOf(id: AuthorizerId): Promise<string | null> {
    return this.store.infoOf(id);
  }

  history(id: AuthorizerId): Promise<AuthorizerChange[]> {
    return this.store.history(id, HISTORY);
  }

  /** An option at WeChat, such as `voice_recognize`. @throws {HubError} */
  async getOption(id: AuthorizerId, name: string): Promise<string> {
    await this.get(id);
    return this.calls.run(id.componentAppId, (token) =>
      this.api.getOption(id.componentAppId, token, id.authorizerAppId, name),
    );
  }

  /** @throws {HubError} */
  async setOption(id: AuthorizerId, option: { name: string; value: string }): Promise<void> {
    await this.get(id);
    await this.calls.run(id.componentAppId, (token) =>
      this.api.setOption(id.componentAppId, token, id.authorizerAppId, option),
    );
  }
}

function applyFilter(
  select: SelectQueryBuilder<Authorizer>,
  { component, status, search, after }: AuthorizerListQuery,
): void {
  if (component) select.andWhere('a.componentAppId = :component', { component });
  if (status) select.andWhere('a.status = :status', { status });
  if (search) {
    const pattern = `%${search.replace(/[!%_]/g, '!$&')}%`;
    select.andWhere(
      "(a.authorizerAppId LIKE :pattern ESCAPE '!' OR a.nickName LIKE :pattern ESCAPE '!' " +
        "OR a.principalName LIKE :pattern ESCAPE '!' OR a.userName LIKE :pattern ESCAPE '!')",
      { pattern },
    );
  }
  if (after) {
    const { componentAppId, authorizerAppId } = authorizerOfKey(after);
    select.andWhere(
      '(a.componentAppId > :componentAppId OR ' +
        '(a.componentAppId = :componentAppId AND a.authorizerAppId > :authorizerAppId))',
      { componentAppId, authorizerAppId },
    );
  }
}
