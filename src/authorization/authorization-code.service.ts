import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { v4 as uuidv4 } from 'uuid';
import { AuthorizerResyncService } from '../authorizer/authorizer-resync.service.js';
import { AuthorizerTokenService, REFRESH_SPREAD } from '../authorizer/authorizer-token.service.js';
import { codeRefused, granted } from '../authorizer/authorizer-transitions.js';
import type { AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
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
import {
  AuthorizationCodeStore,
  CODE_LEASE_MS,
  codeHashOf,
  isPutOff,
  type ArrivedCode,
} from './authorization-code.store.js';
import { CODE_LIFE_MS, AuthorizationRequestStore } from './authorization-request.store.js';
import { codeInProgress, CodeVisitors, type Visitor } from './code-visitors.js';
import { remark } from '../common/remarks.js';

/** How often the second way looks whether the first has finished: ever more patiently. */
const FIRST_POLL_MS = 50;
const POLL_GROWTH = 1.5;
const LAST_POLL_MS = 1000;
/** Longest that one way waits for the other, in milliseconds; visitors wait shorter. */
const MAX_WAIT_MS = 15_000;
/** Codes that one turn of the timer exchanges. */
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
 * A code whose exchange failed is tried again when its back-off is over, and no sooner, no matter who
 * asks: anybody can make a code up and bring it a thousand times.
 */
@Injectable()
export class AuthorizationCodeService implements OnModuleDestroy {
  private readonly logger = new Logger(AuthorizationCodeService.name);
  private readonly owner = uuidv4();
  private readonly flights = new SingleFlight<AuthorizationCode>();

  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly requests: AuthorizationRequestStore,
    private readonly accounts: AuthorizerStore,
    private readonly tokens: AuthorizerTokenService,
    private readonly resyncs: AuthorizerResyncService,
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
   * @param visitor who waits for that, where a browser brought it.
   * @throws {HubError} 409 `authorization_code_refused`, 409 `authorization_code_foreign` where it
   * counts for another request, 503 `authorization_in_progress` where it is tried again, 429
   * `too_many_authorizations` where too many codes were made up, or what kept it from being recorded.
   */
  async consume(arrived: ArrivedCode, visitor?: Visitor): Promise<AuthorizerId> {
    await this.components.getEnabled(arrived.componentAppId);
    const kept = await this.keep(arrived, visitor);
    const row = kept.state === 'pending' ? await this.result(kept, visitor) : kept;
    this.visitors.ended(row);
    if (row.state === 'done' && row.authorizerAppId !== null) {
      return { componentAppId: row.componentAppId, authorizerAppId: row.authorizerAppId };
    }
    throw refusedCode(row.lastError);
  }

  /**
   * {@link consume} for a caller who exchanges codes by itself, and may come after the hub: a code
   * that was exchanged is answered for as long as WeChat would take it.
   * @throws {HubError} as {@link consume}
   */
  async consumeAgain(arrived: ArrivedCode): Promise<AuthorizerId> {
    const known = await this.codes.find(codeHashOf(arrived.componentAppId, arrived.code));
    if (known && known.receivedAt < this.clock.now() - CODE_LIFE_MS) {
      throw refusedCode('code is expired');
    }
    return this.consume(arrived);
  }

  /**
   * Exchanges a recorded code, or waits for the caller or host that does.
   * @param known its row, where the caller has just read it.
   * @throws {HubError}
   */
  process(codeHash: string, known?: AuthorizationCode): Promise<AuthorizationCode> {
    return this.flights.run(codeHash, () => this.processOnce(codeHash, known));
  }

  /** Exchanges codes again whose exchange failed or was interrupted. */
  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorization-codes', waitForCompletion: true })
  async exchangeDue(): Promise<void> {
    try {
      const due = await this.codes.due(DUE_BATCH);
      await Promise.all(due.map((codeHash) => this.process(codeHash).catch(() => undefined)));
      await this.visitors.settle();
    } catch (error) {
      this.logger.warn('Due authorization codes could not be exchanged; tried again soon', error);
    }
  }

  /** An exchange that has begun is finished: the account would be lost with WeChat's answer. */
  async onModuleDestroy(): Promise<void> {
    await this.flights.idle();
  }

  /** The code's row; what is there already is not written again. */
  private async keep(arrived: ArrivedCode, visitor?: Visitor): Promise<AuthorizationCode> {
    const { componentAppId, code, request } = arrived;
    const codeHash = codeHashOf(componentAppId, code);
    const known = await this.codes.find(codeHash);
    if (!known && visitor) this.visitors.admit(componentAppId, codeHash, visitor);
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

  private result(row: AuthorizationCode, visitor?: Visitor): Promise<AuthorizationCode> {
    const { codeHash } = row;
    const result = this.process(codeHash, row).catch((error: unknown) => {
      throw codeInProgress(error);
    });
    return visitor === undefined ? result : this.visitors.wait(codeHash, visitor, result);
  }

  private async processOnce(
    codeHash: string,
    known?: AuthorizationCode,
  ): Promise<AuthorizationCode> {
    const started = performance.now();
    let poll = FIRST_POLL_MS;
    for (let read = known; performance.now() - started < MAX_WAIT_MS; read = undefined) {
      const row = read ?? (await this.codes.find(codeHash));
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
      const authorization = await this.query(row);
      await this.keepGrant(codeHash, authorization, obtainedAt);
    } catch (error) {
      if (this.isFinal(row, error)) {
        await this.keepRefusal(codeHash, error);
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

  /** WeChat took the code: this counts, whichever host has tried it meanwhile. */
  private async keepGrant(
    codeHash: string,
    authorization: Authorization,
    obtainedAt: number,
  ): Promise<void> {
    const early = Math.random() * REFRESH_SPREAD;
    const id = await this.database.transaction(async (manager) => {
      // As it is now: the event may have come after the exchange began.
      const row = await this.codes.lock(codeHash, manager);
      const authorizerAppId = authorization.authorizerAppId ?? row.authorizerAppId;
      if (authorizerAppId === null) throw namelessAnswer();
      const { componentAppId, eventTime, source } = row;
      const grant = { authorization, obtainedAt, eventTime, source, early };
      const account = { componentAppId, authorizerAppId };
      await this.accounts.change(account, (one, now) => granted(one, grant, now), manager);
      await this.codes.end(codeHash, { state: 'done', authorizerAppId, lastError: null }, manager);
      return account;
    });
    this.tokens.forget(id);
  }

  /**
   * WeChat says used (61009) or expired (61010). Either it was never good, or this hub exchanged
   * it and crashed before the answer was saved, or it came too late: WeChat's record of the
   * account has the refresh token and the permission sets all the same. Where it is not known
   * which account it was, the list of all accounts has it.
   */
  private async keepRefusal(codeHash: string, error: unknown): Promise<void> {
    const errcode = error instanceof WechatApiError ? error.errcode : undefined;
    const row = await this.database.transaction(async (manager) => {
      const locked = await this.codes.lock(codeHash, manager);
      if (locked.state !== 'pending' || locked.leaseOwner !== this.owner) return undefined;
      await this.codes.end(codeHash, { state: 'failed', lastError: messageOf(error) }, manager);
      const account = accountOf(locked);
      if (account) {
        await this.accounts.change(account, (one, now) => codeRefused(one, errcode, now), manager);
      }
      return locked;
    });
    if (!row) return;
    const account = accountOf(row);
    if (account) this.tokens.forget(account);
    else if (row.attempts > 1) await this.resyncs.begin(row.componentAppId);
  }

  private isFinal({ receivedAt }: AuthorizationCode, error: unknown): boolean {
    if (error instanceof WechatApiError && error.kind === 'code') return true;
    return receivedAt < this.time.now() - HOPELESS_AFTER_MS;
  }

  private async postpone(row: AuthorizationCode, error: unknown): Promise<void> {
    const now = this.clock.now();
    const next = nextAttemptAt(failureKind(error), row.attempts + 1, now, Math.random());
    const failure = { nextAttemptAt: next, lastError: messageOf(error) };
    await this.codes.postpone(row.codeHash, this.owner, failure);
    // Anybody can make codes up.
    this.brake.log(`code of ${row.componentAppId}`, 'unknown', {
      level: 'warn',
      message: 'An authorization code could not be exchanged yet',
      fields: { componentAppId: row.componentAppId },
      error,
    });
  }
}

/** The account that a code is of, where its event has named it. */
function accountOf({
  componentAppId,
  authorizerAppId,
}: AuthorizationCode): AuthorizerId | undefined {
  return authorizerAppId === null ? undefined : { componentAppId, authorizerAppId };
}

function messageOf(error: unknown): string {
  return error instanceof HubError ? error.message : remark('exchange_failed');
}

/** @param reason WeChat's. */
function refusedCode(reason: string | null): HubError {
  return new HubError('authorization_code_refused', 'WeChat did not accept this authorization', {
    status: 409,
    details: { reason },
  });
}

/** The code counts for another request than the one it came with. */
function foreignCode(): HubError {
  return new HubError('authorization_code_foreign', 'This authorization belongs to another link', {
    status: 409,
    level: 'warn',
  });
}

function namelessAnswer(): HubError {
  return new HubError('authorization_unreadable', 'WeChat did not say which account it is', {
    status: 502,
  });
}
