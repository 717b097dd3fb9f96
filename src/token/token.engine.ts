import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { v4 as uuidv4 } from 'uuid';
import type { Clock } from '../common/clock.js';
import { HeldCopy } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import { SingleFlight } from '../common/single-flight.js';
import { emitTelemetry } from '../common/telemetry.js';
import { FAILURE_POLICIES, failureKind, nextAttemptAt } from './failure-policy.js';
import { isServable, refreshDecision } from './refresh-decision.js';
import {
  rememberedError,
  type LastError,
  type ServableState,
  type TokenState,
} from './token-state.js';
import type { FreshToken, Lease } from './token.store.js';

/**
 * A lease outlives the slowest exchange (5 s, renewed before each further call). It is 12 s so that
 * after a crash the wait, one poll and one exchange stay within the 15 s that are promised.
 */
const LEASE_MS = 12_000;
/** How often a caller without a token looks whether another process has got one. */
const POLL_MS = 200;
/** Longest that a caller waits for another process; a lease ends before that. */
const MAX_WAIT_MS = 15_000;
/** A token reported as refused is replaced at most this often. */
const FORCE_INTERVAL_MS = 30_000;
/** Tries to save a token that WeChat has given: giving up loses it. */
const SAVE_TRIES = 20;
const SAVE_RETRY_MS = 500;
/** Other hosts see a new token within 5 s. */
const COPY_LIMITS = { refreshAfterMs: 1000, maxAgeMs: 4000 };

/** What the engine needs of the rows; {@link TokenStore} has it. */
export interface TokenRows {
  load(key: string): Promise<TokenState>;
  acquire(key: string, lease: Lease, until: number): Promise<boolean>;
  renew(key: string, lease: Lease, until: number): Promise<boolean>;
  save(key: string, lease: Lease, fresh: FreshToken, obtainedAt: number): Promise<boolean>;
  fail(
    key: string,
    lease: Lease,
    failure: { attempts: number; nextAttemptAt: number; lastError: LastError },
  ): Promise<boolean>;
  release(key: string, lease: Lease): Promise<void>;
  markInvalidated(key: string, generation: number, intervalMs: number): Promise<boolean>;
}

/** How one kind of token is got from WeChat. */
export interface TokenSource {
  /** For metrics and logs, such as `component_access_token`. */
  kind: string;
  /**
   * Collects what the exchange needs, before any lease is taken.
   * @throws {HubError} when something is missing and WeChat need not be asked.
   */
  prepare(key: string): Promise<Exchange>;
}

/**
 * Asks WeChat. `stillMine` extends the lease before each further call, and rejects if it is lost.
 * @throws {WechatApiError}
 */
export type Exchange = (stillMine: () => Promise<void>) => Promise<FreshToken>;

interface RefreshRequest {
  /** Generation to be replaced: any newer one satisfies the caller. */
  after: number;
  /** Refresh although it is not due, and before the next attempt is. */
  force?: boolean;
}

/**
 * Keeps tokens alive: one exchange per refresh however many callers, processes and hosts ask; a
 * token that is valid is served whatever else is broken; a late answer replaces nothing newer.
 * One implementation for every kind of token.
 */
export class TokenEngine {
  private readonly logger = new Logger(TokenEngine.name);
  private readonly copies = new Map<string, HeldCopy<TokenState>>();
  private readonly flights = new SingleFlight<TokenState>();
  private readonly owner = uuidv4();

  constructor(
    private readonly rows: TokenRows,
    private readonly source: TokenSource,
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * A token that WeChat takes, from memory where it can.
   * @throws {HubError} when there is none and none can be got now.
   */
  async current(key: string): Promise<ServableState> {
    const state = await this.copy(key).get();
    if (!refreshDecision(state, this.clock.now()).due) return state as ServableState;
    if (!this.servable(state)) return this.refresh(key, { after: state.generation });
    if (this.mayAttempt(state)) this.inBackground(key, { after: state.generation });
    return state;
  }

  /** Refreshes now, whatever the state, and waits. @throws {HubError} */
  async refreshNow(key: string): Promise<ServableState> {
    const { generation } = await this.reload(key);
    return this.refresh(key, { after: generation, force: true });
  }

  /**
   * Replaces `token` if it is still the current one: one exchange however many callers report it,
   * at most one such refresh per 30 s.
   * @throws {HubError} when it is refused and no other can be got now.
   */
  async invalidate(key: string, token: string): Promise<ServableState> {
    const state = await this.reload(key);
    if (!state.token?.equals(token)) return this.current(key);
    await this.rows.markInvalidated(key, state.generation, FORCE_INTERVAL_MS);
    const marked = await this.reload(key);
    const { due } = refreshDecision(marked, this.clock.now());
    return due ? this.refresh(key, { after: state.generation }) : (marked as ServableState);
  }

  /** Refreshes a token that is due and may be tried; failures are kept in the row, not thrown. */
  async refreshIfDue(key: string): Promise<void> {
    const state = await this.copy(key).get();
    if (!refreshDecision(state, this.clock.now()).due || !this.mayAttempt(state)) return;
    await this.quietly(key, { after: state.generation });
  }

  /** What was missing has arrived: try at once if there is no good token, whatever the back-off. */
  async retryNow(key: string, cures: (error: LastError) => boolean): Promise<void> {
    const state = this.copy(key).peek() ?? (await this.reload(key));
    const { due } = refreshDecision(state, this.clock.now());
    const cured = state.lastError !== null && cures(state.lastError);
    if (due && (this.mayAttempt(state) || cured)) {
      await this.quietly(key, { after: state.generation, force: cured });
    }
  }

  /** The row as it is now, for inspection. */
  reload(key: string): Promise<TokenState> {
    return this.copy(key).reload();
  }

  /** Resolves when no exchange is under way. */
  idle(): Promise<void> {
    return this.flights.idle();
  }

  private copy(key: string): HeldCopy<TokenState> {
    let copy = this.copies.get(key);
    if (!copy) {
      copy = new HeldCopy(() => this.rows.load(key), this.clock, COPY_LIMITS);
      this.copies.set(key, copy);
    }
    return copy;
  }

  private servable(state: TokenState): state is ServableState {
    return isServable(state, this.clock.now());
  }

  private mayAttempt(state: TokenState): boolean {
    return (state.nextAttemptAt ?? 0) <= this.clock.now();
  }

  private inBackground(key: string, request: RefreshRequest): void {
    void this.quietly(key, request);
  }

  private async quietly(key: string, request: RefreshRequest): Promise<void> {
    try {
      await this.refresh(key, request);
    } catch (error) {
      // The failure stands in the row, with the time of the next attempt.
      if (!(error instanceof HubError)) this.logger.error('A refresh failed unexpectedly', error);
    }
  }

  private async refresh(key: string, request: RefreshRequest): Promise<ServableState> {
    const run = (): Promise<TokenState> =>
      this.flights.run(key, () => this.refreshOnce(key, request));
    let state = await run();
    // The run that was joined may have begun before this caller's reason to refresh existed.
    if (this.unsatisfied(state, request)) state = await run();
    if (!this.servable(state)) throw rememberedError(state);
    return state;
  }

  private unsatisfied(state: TokenState, { after, force }: RefreshRequest): boolean {
    if (state.generation > after) return false;
    return force === true || refreshDecision(state, this.clock.now()).due;
  }

  /** Until there is a newer token, or a failure, from this process or another. */
  private async refreshOnce(key: string, { after, force }: RefreshRequest): Promise<TokenState> {
    const started = performance.now();
    let attemptsBefore: number | undefined;
    while (performance.now() - started < MAX_WAIT_MS) {
      const state = await this.load(key);
      attemptsBefore ??= state.attempts;
      if (state.generation > after) return state;
      if (!force && !refreshDecision(state, this.clock.now()).due) return state;
      const failedElsewhere = state.attempts > attemptsBefore;
      if (failedElsewhere || (!force && !this.mayAttempt(state))) throw rememberedError(state);
      if ((state.leaseUntil ?? 0) > this.clock.now()) {
        await this.waitForLease(key);
        continue;
      }
      const exchange = await this.source.prepare(key);
      const lease = { owner: this.owner, generation: state.generation };
      if (await this.rows.acquire(key, lease, this.clock.now() + LEASE_MS)) {
        return this.exchangeUnder(lease, key, exchange, state.attempts);
      }
    }
    throw rememberedError({ ...(await this.load(key)), lastError: null });
  }

  private async load(key: string): Promise<TokenState> {
    const state = await this.rows.load(key);
    this.copy(key).set(state);
    return state;
  }

  private async waitForLease(key: string): Promise<void> {
    const started = performance.now();
    await delay(POLL_MS);
    const seconds = (performance.now() - started) / 1000;
    emitTelemetry('token.lease_wait', { kind: this.source.kind, key, seconds });
  }

  private async exchangeUnder(
    lease: Lease,
    key: string,
    exchange: Exchange,
    failuresBefore: number,
  ): Promise<TokenState> {
    const outcome = { kind: this.source.kind, key, outcome: 'ok' };
    try {
      // The life counts from before the call: never later than WeChat counts it.
      const obtainedAt = this.clock.now();
      const fresh = await exchange(() => this.renew(key, lease));
      if (!(await this.save(key, lease, fresh, obtainedAt))) {
        outcome.outcome = 'superseded';
        this.logger.warn('A late token was dropped: another host has refreshed', { key });
      }
      return await this.load(key);
    } catch (error) {
      outcome.outcome = failureKind(error);
      await this.recordFailure(key, lease, error, failuresBefore + 1);
      throw error;
    } finally {
      emitTelemetry('token.exchange', outcome);
      if (outcome.outcome === 'ok') {
        this.logger.log('Refreshed a token', { kind: this.source.kind, key });
      }
    }
  }

  private async renew(key: string, lease: Lease): Promise<void> {
    if (await this.rows.renew(key, lease, this.clock.now() + LEASE_MS)) return;
    throw new HubError('refresh_superseded', 'Another host has taken over the refresh', {
      status: 503,
    });
  }

  /** WeChat has given the token and the old one is dying: a failing database is tried again. */
  private async save(
    key: string,
    lease: Lease,
    fresh: FreshToken,
    obtainedAt: number,
  ): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.rows.save(key, lease, fresh, obtainedAt);
      } catch (error) {
        if (tries === SAVE_TRIES) throw error;
        await delay(SAVE_RETRY_MS);
      }
    }
  }

  private async recordFailure(
    key: string,
    lease: Lease,
    error: unknown,
    attempts: number,
  ): Promise<void> {
    const now = this.clock.now();
    const kind = failureKind(error);
    const { operator, advice } = FAILURE_POLICIES[kind];
    const next = nextAttemptAt(kind, attempts, now, this.random());
    const lastError = { kind, operator, advice, at: now, ...describe(error) };
    this.logger[operator ? 'error' : 'warn'](`A refresh failed: ${lastError.message}`, {
      tokenKind: this.source.kind,
      key,
      attempts,
      nextAttemptAt: new Date(next).toISOString(),
      advice,
      ...lastError.details,
    });
    try {
      await this.rows.fail(key, lease, { attempts, nextAttemptAt: next, lastError });
      await this.load(key);
    } catch (failure) {
      // The lease ends by itself; the back-off of this process is then the lease.
      this.logger.warn('A failed refresh could not be recorded', failure);
    }
  }
}

function describe(error: unknown): Pick<LastError, 'code' | 'message' | 'status' | 'details'> {
  if (error instanceof HubError) {
    const { code, message, status, details } = error;
    return { code, message, status, details };
  }
  return { code: 'refresh_failed', message: 'The refresh failed', status: 503, details: {} };
}
