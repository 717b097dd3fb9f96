import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { Clock } from '../common/clock.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { TokenEngine } from '../token-engine/token.engine.js';
import type { TokenSource } from '../token-engine/token-source.js';
import type { ServableState } from '../token-engine/token-state.js';
import { TokenStore } from '../token-engine/token.store.js';
import { withFreshToken } from '../token-engine/with-fresh-token.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { JsTicket } from './js-ticket.entity.js';

/** What a ticket is for: functions of pages (JS-SDK), or cards. */
export const JS_TICKET_TYPES = ['jsapi', 'wx_card'] as const;
export type JsTicketType = (typeof JS_TICKET_TYPES)[number];

/** SDKs take up to 25 minutes off a ticket's life: it is renewed before so little is left. */
const MARGIN_MS = 30 * 60_000;

/** Tickets for pages of accounts: WeChat is asked once for all hosts, by the engine of the tokens. */
@Injectable()
export class JsTicketService implements OnModuleDestroy {
  private readonly engine: TokenEngine;

  constructor(
    private readonly authorizers: AuthorizerTokenService,
    wechat: WechatApiClient,
    database: Database,
    box: SecretBox,
    clock: Clock,
  ) {
    const rows = new TokenStore<JsTicket>(
      {
        entity: JsTicket,
        identity: identityOf,
        key: ({ componentAppId, authorizerAppId, type }) =>
          `${componentAppId}/${authorizerAppId}/${type}`,
        location: (key) => secretLocation(encryptedColumns.jsTicket, ...key.split('/')),
        marginMs: MARGIN_MS,
      },
      database,
      box,
      clock,
    );
    this.engine = new TokenEngine(rows, sourceOf(authorizers, wechat), clock);
  }

  /**
   * A ticket that pages can be signed with.
   * @throws {HubError} as {@link AuthorizerTokenService.current}, or what WeChat refused.
   */
  async current(
    { componentAppId, authorizerAppId }: AuthorizerId,
    type: JsTicketType,
  ): Promise<ServableState> {
    // An account that has withdrawn has no ticket, whatever memory says.
    await this.authorizers.current(authorizerAppId, componentAppId);
    const key = `${componentAppId}/${authorizerAppId}/${type}`;
    await this.engine.refreshIfDue(key);
    return this.engine.current(key);
  }

  async onModuleDestroy(): Promise<void> {
    await this.engine.stop();
  }
}

function identityOf(key: string): Pick<JsTicket, 'componentAppId' | 'authorizerAppId' | 'type'> {
  const [componentAppId = '', authorizerAppId = '', type = ''] = key.split('/');
  return { componentAppId, authorizerAppId, type };
}

/** A ticket is asked for with the account's token, and with nothing that could cure a failure. */
function sourceOf(authorizers: AuthorizerTokenService, wechat: WechatApiClient): TokenSource {
  return {
    kind: 'js_ticket',
    inputs: async () => ({}),
    afterFailure: async () => undefined,
    prepare: async (key) => {
      const { componentAppId, authorizerAppId, type } = identityOf(key);
      const tokens = authorizers.supply(authorizerAppId, componentAppId);
      await tokens.current();
      const run = async () => {
        const got = await withFreshToken(tokens, (token) => wechat.jsTicket(token, type));
        return { token: got.ticket, expiresIn: got.expiresIn };
      };
      return { inputs: {}, run };
    },
  };
}
