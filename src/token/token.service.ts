import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Push } from '../callback/push.js';
import { OnInfoType, type AfterCommit } from '../callback/push-handlers.js';
import { Clock } from '../common/clock.js';
import { ComponentService } from '../component/component.service.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { TICKET_INFO_TYPE } from '../ticket/ticket.js';
import { ComponentAccessToken } from './component-access-token.entity.js';
import { ComponentTokenSource } from './component-token.source.js';
import { TokenEngine } from '../token-engine/token.engine.js';
import type { ServableState, TokenState } from '../token-engine/token-state.js';
import type { TokenSupply } from '../token-engine/with-fresh-token.js';
import { TokenStore } from '../token-engine/token.store.js';

/** The component_access_token of every third-party platform: reading, refreshing, reporting. */
@Injectable()
export class TokenService implements OnModuleDestroy {
  private readonly engine: TokenEngine;

  constructor(
    source: ComponentTokenSource,
    private readonly components: ComponentService,
    database: Database,
    box: SecretBox,
    clock: Clock,
  ) {
    const rows = new TokenStore<ComponentAccessToken>(
      {
        entity: ComponentAccessToken,
        identity: (componentAppId) => ({ componentAppId }),
        key: ({ componentAppId }) => componentAppId,
        location: (id) => secretLocation(encryptedColumns.componentAccessToken, id),
      },
      database,
      box,
      clock,
    );
    this.engine = new TokenEngine(rows, source, clock);
  }

  /** A new ticket ends the wait for one: what failed for want of it is tried at once. */
  @OnInfoType(TICKET_INFO_TYPE)
  async onTicketPush(events: Push[]): Promise<AfterCommit> {
    const appids = new Set(events.map((event) => event.componentAppId));
    return () => Promise.all([...appids].map((appid) => this.engine.refreshIfDue(appid)));
  }

  /** A token that WeChat takes. @throws {HubError} */
  async current(componentAppId: string): Promise<ServableState> {
    await this.components.getEnabled(componentAppId);
    return this.engine.current(componentAppId);
  }

  /** Replaces a token that WeChat refused; see {@link TokenEngine.invalidate}. @throws {HubError} */
  async invalidate(componentAppId: string, token: string): Promise<ServableState> {
    await this.components.getEnabled(componentAppId);
    return this.engine.invalidate(componentAppId, token);
  }

  /** Where calls with the platform's token get it. */
  supply(componentAppId: string): TokenSupply {
    return {
      current: () => this.current(componentAppId),
      replace: (refused) => this.invalidate(componentAppId, refused),
    };
  }

  /** Refreshes now. @throws {HubError} */
  async refreshNow(componentAppId: string): Promise<ServableState> {
    await this.components.getEnabled(componentAppId);
    return this.engine.refreshNow(componentAppId);
  }

  /** Refreshes every token that is due; called by the timer. */
  async refreshDue(): Promise<void> {
    const components = await this.components.enabled();
    await Promise.all(components.map(({ appid }) => this.engine.refreshIfDue(appid)));
  }

  /** The state for inspection, as it is in the database. @throws {ComponentUnknownError} */
  async inspect(componentAppId: string): Promise<TokenState> {
    await this.components.get(componentAppId);
    return this.engine.reload(componentAppId);
  }

  /** An exchange that has begun is finished: what WeChat has given must be saved. */
  async onModuleDestroy(): Promise<void> {
    await this.engine.stop();
  }
}
