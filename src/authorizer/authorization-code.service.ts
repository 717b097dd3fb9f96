import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { v4 as uuidv4 } from 'uuid';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { SingleFlight } from '../common/single-flight.js';
import { Database } from '../database/database.js';
import { ComponentCall } from '../token/component-call.js';
import { failureKind, nextAttemptAt } from '../token/failure-policy.js';
import { ComponentApi, type Authorization } from '../wechat-api/component-api.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeStore, type ArrivedCode } from './authorization-code.store.js';
import type { AuthorizerId } from './authorizer.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { AuthorizerStore } from './authorizer.store.js';

/** Longer than the slowest exchange; another host goes on after it, in milliseconds. */
const LEASE_MS = 12_000;
/** How often the second way looks whether the first has finished, in milliseconds. */
const POLL_MS = 100;
/** Longest that a redirect waits for the exchange, in milliseconds. */
const MAX_WAIT_MS = 15_000;
/** Codes that one turn of the timer takes up. */
const DUE_BATCH = 50;

/**
 * Exchanges authorization codes (api_query_auth). A code comes by redirect, by event, or both, in
 * any order and on any host: it is exchanged once, and both ways get the one result.
 *
 * ```
 *   redirect ─┐                      ┌─ done    authorizer row written in the same transaction
 *             ├─▶ pending ─ lease ─▶─┼─ failed  used or expired: WeChat's own record is asked
 *   event  ───┘       ▲              └─ later   WeChat or the database failed: tried again
 *                     └───────────────────┘
 * ```
 */
@Injectable()
export class AuthorizationCodeService implements OnModuleDestroy {
  private readonly logger = new Logger(AuthorizationCodeService.name);
  private readonly owner = uuidv4();
  private readonly flights = new SingleFlight<AuthorizationCode>();

  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly authorizers: AuthorizerStore,
    private readonly tokens: AuthorizerTokenService,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Records a code durably and exchanges it. @throws {HubError} when it is not exchanged now. */
  async consume(arrived: ArrivedCode): Promise<AuthorizerId> {
    const codeHash = await this.database.transaction((manager) =>
      this.codes.keep(arrived, manager),
    );
    const row = await this.process(codeHash);
    if (row.state === 'done' && row.authorizerAppId !== null) {
      return { componentAppId: row.componentAppId, authorizerAppId: row.authorizerAppId };
    }
    throw new HubError('authorization_code_refused', 'WeChat did not accept this authorization', {
      status: 409,
      details: { reason: row.lastError },
    });
  }

  /** Exchanges a recorded code, or waits for whoever is doing it. @throws {HubError} */
  process(codeHash: string): Promise<AuthorizationCode> {
    return this.flights.run(codeHash, () => this.processOnce(codeHash));
  }

  /** Takes up codes whose exchange failed or was interrupted. */
  async processDue(): Promise<void> {
    const due = await this.codes.due(DUE_BATCH);
    await Promise.all(due.map((codeHash) => this.process(codeHash).catch(() => undefined)));
  }

  async onModuleDestroy(): Promise<void> {
    await this.flights.idle();
  }

  private async processOnce(codeHash: string): Promise<AuthorizationCode> {
    const started = performance.now();
    while (performance.now() - started < MAX_WAIT_MS) {
      const row = await this.codes.find(codeHash);
      if (!row) throw new Error('A code that was recorded is gone');
      if (row.state !== 'pending') return row;
      const until = this.clock.now() + LEASE_MS;
      if (await this.codes.acquire(codeHash, this.owner, until)) await this.exchange(row);
      else await delay(POLL_MS);
    }
    throw new HubError('authorization_in_progress', 'The authorization is still being processed', {
      status: 503,
    });
  }

  private async exchange(row: AuthorizationCode): Promise<void> {
    const obtainedAt = this.clock.now();
    try {
      const granted = await this.query(row);
      await this.save(row, granted, obtainedAt);
    } catch (error) {
      if (error instanceof WechatApiError && error.kind === 'code') {
        await this.refused(row, error);
        return;
      }
      const next = nextAttemptAt(failureKind(error), row.attempts + 1, obtainedAt, Math.random());
      const message = error instanceof Error ? error.message : 'failed';
      await this.codes.postpone(row.codeHash, next, message);
      this.logger.warn('An authorization code could not be exchanged yet', error);
      throw error;
    }
  }

  private query(row: AuthorizationCode): Promise<Authorization> {
    const code = this.codes.open(row);
    if (!code) throw new Error('A pending code is not kept');
    return this.calls.run(row.componentAppId, (token) =>
      this.api.queryAuth(row.componentAppId, token, code),
    );
  }

  private async save(
    row: AuthorizationCode,
    granted: Authorization,
    obtainedAt: number,
  ): Promise<void> {
    const authorizerAppId = granted.authorizerAppId ?? row.authorizerAppId;
    if (authorizerAppId === null) {
      throw new HubError('authorization_unreadable', 'WeChat did not say which account it is', {
        status: 502,
      });
    }
    const id = { componentAppId: row.componentAppId, authorizerAppId };
    await this.database.transaction(async (manager) => {
      // The event may have come after the exchange began: its time counts.
      const eventTime = row.eventTime ?? Math.floor(row.receivedAt / 1000);
      await this.authorizers.authorize(id, granted, { obtainedAt, eventTime }, manager);
      const detail = {
        source: row.source,
        funcInfo: granted.funcInfo,
        tokens: granted.accessToken !== undefined,
      };
      await this.authorizers.note(id, { what: 'authorized', detail }, manager);
      await this.codes.end(row.codeHash, { state: 'done', authorizerAppId }, manager);
    });
    this.tokens.forget(id);
  }

  /**
   * WeChat says used (61009) or expired (61010). Either it was never good, or this hub exchanged
   * it and crashed before the answer was saved, or the event came too late: WeChat's record of
   * the account (api_get_authorizer_info, by the timer) has the refresh token and the permission
   * sets all the same.
   */
  private async refused(row: AuthorizationCode, error: WechatApiError): Promise<void> {
    const { authorizerAppId, componentAppId, codeHash } = row;
    await this.database.transaction(async (manager) => {
      await this.codes.end(codeHash, { state: 'failed', lastError: error.message }, manager);
      if (authorizerAppId === null) return;
      const id = { componentAppId, authorizerAppId };
      await this.authorizers.askWechat(id, manager);
      const what = error.errcode === 61010 ? 'code_expired' : 'code_refused';
      const advice =
        'A fresh code comes when the account changes its permission sets or authorizes again';
      await this.authorizers.note(
        id,
        { what, detail: { errcode: error.errcode, advice } },
        manager,
      );
    });
  }
}
