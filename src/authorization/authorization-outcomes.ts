import { Injectable } from '@nestjs/common';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import type { Authorization } from '../wechat-api/component-api.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { AuthorizerResyncService } from '../authorizer/authorizer-resync.service.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { AuthorizerTransitions } from '../authorizer/authorizer.transitions.js';

const ADVICE =
  'A fresh code comes when the account changes its permission sets or authorizes again';

/** What the exchange of a code led to: the code's row and the account's change together. */
@Injectable()
export class AuthorizationOutcomes {
  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly transitions: AuthorizerTransitions,
    private readonly tokens: AuthorizerTokenService,
    private readonly resyncs: AuthorizerResyncService,
    private readonly database: Database,
  ) {}

  /** WeChat took the code: this counts, whoever else has tried it meanwhile. */
  async granted(codeHash: string, granted: Authorization, obtainedAt: number): Promise<void> {
    const id = await this.database.transaction(async (manager) => {
      // As it is now: the event may have come after the exchange began.
      const row = await this.codes.lock(codeHash, manager);
      const authorizerAppId = granted.authorizerAppId ?? row.authorizerAppId;
      if (authorizerAppId === null) throw namelessAnswer();
      const { componentAppId, eventTime, source } = row;
      const account = { componentAppId, authorizerAppId };
      const facts = { obtainedAt, eventTime, source };
      await this.transitions.authorize(account, granted, facts, manager);
      await this.codes.end(codeHash, { state: 'done', authorizerAppId, lastError: null }, manager);
      return account;
    });
    this.tokens.forget(id);
  }

  /**
   * WeChat says used (61009) or expired (61010). Either it was never good, or this hub exchanged
   * it and crashed before the answer was saved, or it came too late: WeChat's record of the
   * account has the refresh token and the permission sets all the same. Where nobody knows which
   * account it was, the list of all accounts has it.
   */
  async refused(codeHash: string, owner: string, error: unknown): Promise<void> {
    const lastError = error instanceof HubError ? error.message : 'The exchange failed';
    const errcode = error instanceof WechatApiError ? error.errcode : undefined;
    const account = await this.database.transaction(async (manager) => {
      const row = await this.codes.lock(codeHash, manager);
      if (row.state !== 'pending' || row.leaseOwner !== owner) return undefined;
      await this.codes.end(codeHash, { state: 'failed', lastError }, manager);
      const { componentAppId, authorizerAppId, attempts } = row;
      if (authorizerAppId !== null) {
        const what = errcode === 61010 ? 'code_expired' : 'code_refused';
        const change = { what, detail: { errcode, advice: ADVICE } };
        await this.transitions.codeRefused({ componentAppId, authorizerAppId }, change, manager);
      }
      return { componentAppId, authorizerAppId, attempts };
    });
    if (!account) return;
    const { componentAppId, authorizerAppId, attempts } = account;
    if (authorizerAppId !== null) this.tokens.forget({ componentAppId, authorizerAppId });
    else if (attempts > 1) await this.resyncs.begin(componentAppId);
  }
}

function namelessAnswer(): HubError {
  return new HubError('authorization_unreadable', 'WeChat did not say which account it is', {
    status: 502,
  });
}
