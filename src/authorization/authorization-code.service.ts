import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { v4 as uuidv4 } from 'uuid';
import { Clock } from '../common/clock.js';
import { isPending } from '../common/clock-trust.js';
import { HubError } from '../common/hub-error.js';
import { LogBrake } from '../common/log-brake.js';
import { SingleFlight } from '../common/single-flight.js';
import { Stopping } from '../common/stopping.js';
import { unlessAborted } from '../common/time-limit.js';
import { TrustedTime } from '../common/trusted-time.js';
import { ComponentService } from '../component/component.service.js';
import { Database } from '../database/database.js';
import { ComponentCall } from '../token/component-call.js';
import { failureKind, nextAttemptAt } from '../token-engine/failure-policy.js';
import { TokenService } from '../token/token.service.js';
import { ComponentApi, type Authorization } from '../wechat-api/component-api.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { AuthorizationCode } from './authorization-code.entity.js';
import { codeInProgress, foreignCode } from './authorization-code-errors.js';
import {
  AuthorizationCodeStore,
  CODE_LEASE_MS,
  codeHashOf,
  isPutOff,
  type ArrivedCode,
} from './authorization-code.store.js';
import type { AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizationOutcomes } from './authorization-outcomes.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';
import { CodeVisitors } from './code-visitors.js';

/** How often the second way looks whether the first has finished: ever more patiently. */
const FIRST_POLL_MS = 50;
const POLL_GROWTH = 1.5;
const LAST_POLL_MS = 1000;
/** Longest that one way waits for the other, in milliseconds; visitors wait shorter. */
const MAX_WAIT_MS = 15_000;
/** Codes that one turn of the timer takes up. */
const DUE_BATCH = 50;
/** No code lives nearly as long; WeChat's record of the account is asked instead. */
const HOPELESS_AFTER_MS = 24 * 3_600_000;

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
 *
 * A code whose exchange failed is tried again when its back-off is over, and no sooner, no matter who asks:
 * anybody can make a code up and bring it a thousand times.
 */
@Injectable()
export class AuthorizationCodeService implements OnModuleDestroy {
  private readonly owner = uuidv4();
  private readonly flights = new SingleFlight<AuthorizationCode>();

  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly requests: AuthorizationRequestStore,
    private readonly outcomes: AuthorizationOutcomes,
    private readonly components: ComponentService,
    private readonly componentTokens: TokenService,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly brake: LogBrake,
    private readonly time: TrustedTime,
    private readonly visitors: CodeVisitors,
    private readonly stopping: Stopping,
  ) {}

  /**
   * Records a code durably and exchanges it.
   * @param visitor address of the visitor who waits for that, if it is one.
   * @throws {HubError} 409 `authorization_code_refused`, 409 `authorization_code_foreign` where it
   * counts for another request, 503 `authorization_in_progress` where it is tried again, or what
   * kept it from being recorded.
   */
  async consume(arrived: ArrivedCode, visitor?: string): Promise<AuthorizerId> {
    await this.components.getEnabled(arrived.componentAppId);
    const kept = await this.keep(arrived);
    const row = kept.state === 'pending' ? await this.result(kept.codeHash, visitor) : kept;
    this.visitors.ended(row);
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
    await this.visitors.settle();
  }

  /** An exchange that has begun is finished: the account would be lost with WeChat's answer. */
  async onModuleDestroy(): Promise<void> {
    this.stopping.begin();
    await this.flights.idle();
  }

  /** The code's row; what is there already is not written again. */
  private async keep(arrived: ArrivedCode): Promise<AuthorizationCode> {
    const { componentAppId, code, request } = arrived;
    const known = await this.codes.find(codeHashOf(componentAppId, code));
    const knownToCount = known && (request === undefined || this.requests.isBound(known, request));
    if (knownToCount === false) throw foreignCode();
    if (known && knownToCount) return known;
    return this.database.transaction(async (manager) => {
      const row = await this.codes.keep(arrived, manager);
      const counts = request === undefined || (await this.requests.bind(row, request, manager));
      if (!counts) throw foreignCode();
      return row;
    });
  }

  private result(codeHash: string, visitor: string | undefined): Promise<AuthorizationCode> {
    const result = this.process(codeHash).catch((error: unknown) => {
      throw codeInProgress(error);
    });
    return visitor === undefined ? result : this.visitors.wait(codeHash, visitor, result);
  }

  private async processOnce(codeHash: string): Promise<AuthorizationCode> {
    const started = performance.now();
    let poll = FIRST_POLL_MS;
    while (performance.now() - started < MAX_WAIT_MS) {
      const row = await this.codes.find(codeHash);
      if (!row) throw new Error('A code that was recorded is gone');
      if (row.state !== 'pending') return row;
      if (this.stopping.begun) break;
      if (!isPending(row.leaseUntil, CODE_LEASE_MS, this.clock.now())) {
        if (isPutOff(row, this.clock.now())) break;
        if (await this.acquired(row)) {
          await this.exchange(row);
          continue;
        }
      }
      await delay(poll, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      poll = Math.min(poll * POLL_GROWTH, LAST_POLL_MS);
    }
    throw codeInProgress();
  }

  private async acquired(row: AuthorizationCode): Promise<boolean> {
    try {
      // A wait for the platform's own token is no time of the lease, and nothing that a stop awaits.
      const token = this.componentTokens.current(row.componentAppId);
      await unlessAborted(this.stopping.signal, token);
    } catch (error) {
      if (!this.stopping.begun) await this.postpone(row, error);
      throw error;
    }
    return this.codes.acquire(row.codeHash, this.owner);
  }

  private async exchange(row: AuthorizationCode): Promise<void> {
    const { codeHash } = row;
    try {
      const obtainedAt = this.clock.now();
      const granted = await this.query(row);
      await this.outcomes.granted(codeHash, granted, obtainedAt);
    } catch (error) {
      if (this.isFinal(row, error)) {
        await this.outcomes.refused(codeHash, this.owner, error);
        return;
      }
      await this.postpone(row, error);
      throw error;
    }
  }

  private query(row: AuthorizationCode): Promise<Authorization> {
    const code = this.codes.open(row);
    if (!code) throw new Error('A pending code is not kept');
    if (code.problem) throw code.problem;
    return this.calls.run(row.componentAppId, (token) =>
      this.api.queryAuth(row.componentAppId, token, code),
    );
  }

  private isFinal({ receivedAt }: AuthorizationCode, error: unknown): boolean {
    if (error instanceof WechatApiError && error.kind === 'code') return true;
    return receivedAt < this.time.now() - HOPELESS_AFTER_MS;
  }

  private async postpone(row: AuthorizationCode, error: unknown): Promise<void> {
    const now = this.clock.now();
    const next = nextAttemptAt(failureKind(error), row.attempts + 1, now, Math.random());
    const lastError = error instanceof HubError ? error.message : 'The exchange failed';
    await this.codes.postpone(row.codeHash, this.owner, { nextAttemptAt: next, lastError });
    // Anybody can make codes up.
    this.brake.log(`code of ${row.componentAppId}`, 'unknown', {
      level: 'warn',
      message: 'An authorization code could not be exchanged yet',
      fields: { componentAppId: row.componentAppId },
      error,
    });
  }
}
