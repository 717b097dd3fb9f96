import { Injectable } from '@nestjs/common';
import { ComponentCall } from '../token/component-call.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import type { AuthorizerChange } from './authorizer-change.entity.js';
import type { Authorizer } from './authorizer.entity.js';
import { authorizerKey, AuthorizerUnknownError, type AuthorizerId } from './authorizer.js';
import { AuthorizerStore } from './authorizer.store.js';
import type { AuthorizerListQuery } from './authorizer.views.js';

/** Lines of an account's history that its detail shows. */
const HISTORY = 200;
/** Rows that the export reads at once. */
const EXPORT_PAGE = 500;

/** Inspection of the accounts, and their options at WeChat. */
@Injectable()
export class AuthorizerService {
  constructor(
    private readonly store: AuthorizerStore,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
  ) {}

  /**
   * A page in the order of (component, account), which no change moves. One that has looked through
   * many may end before it is full.
   */
  async list(filter: AuthorizerListQuery): Promise<{ rows: Authorizer[]; next: string | null }> {
    const { rows, last } = await this.store.page(filter);
    return { rows, next: last ? authorizerKey(last) : null };
  }

  /** All accounts of a filter, page by page. */
  async *all(filter: Omit<AuthorizerListQuery, 'limit' | 'after'>): AsyncGenerator<Authorizer> {
    let after: string | undefined;
    do {
      const { rows, next } = await this.list({ ...filter, limit: EXPORT_PAGE, after });
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

  /**
   * An account with WeChat's last answer about it, as JSON, and its history, newest first.
   * @throws {AuthorizerUnknownError}
   */
  async detail(
    id: AuthorizerId,
  ): Promise<{ row: Authorizer; info: string | null; history: AuthorizerChange[] }> {
    const row = await this.get(id);
    const info = await this.store.infoOf(id);
    return { row, info, history: await this.store.history(id, HISTORY) };
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
