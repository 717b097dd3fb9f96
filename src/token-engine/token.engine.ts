import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { v4 as uuidv4 } from 'uuid';
import { atMost } from '../common/at-most.js';
import type { Clock } from '../common/clock.js';
import { isPending, isRecent } from '../common/clock-trust.js';
import { HeldCopy, SEEN_WITHIN_5_S } from '../common/held-copy.js';
import { HubError } from '../common/hub-error.js';
import { SingleFlight } from '../common/single-flight.js';
import { emitTelemetry } from '../common/telemetry.js';
import { ClockDoubts } from './clock-doubts.js';
import { LeasedExchange } from './leased-exchange.js';
import {
  attemptDecision,
  FORCE_INTERVAL_MS,
  isServable,
  LEASE_MS,
  refreshDecision,
} from './refresh-decision.js';
import type { TokenSource } from './token-source.js';
import { refreshInProgress, refreshTooSoon, rememberedError } from './token-state.js';
import type { ServableState, TokenState } from './token-state.js';
import type { TokenColumns } from './token-columns.js';
import type { Claim, TokenStore } from './token.store.js';

/** How often a caller without a token looks whether the holder of the lease has got one. */
const POLL_MS = 200;
/** Longest that a caller waits for another process, in milliseconds; a lease ends before that. */
const MAX_WAIT_MS = 15_000;
/**
 * Refreshes that are claimed together begin so many milliseconds apart: readers and pushes have
 * their turn in between.
 */
const START_GAP_MS = 3;
/** Tokens held in memory; there may be far more rows. */
const COPIES = 10_000;

interface RefreshRequest {
  /** Generation to be replaced: any newer one that WeChat takes satisfies the caller. */
  after: number;
  /** Refresh although it is not due, and before the next attempt is. */
  force?: boolean;
}

/** Why an exchange comes before its time. */
interface Early {
  /** Somebody wants it now. */
  force?: boolean | undefined;
  /** What the last failure was about has changed. */
  lifted: boolean;
}

/**
 * Keeps tokens alive: one exchange per refresh however many callers, processes and hosts ask; a
 * token that is valid is served whatever else is broken; a late answer replaces nothing newer.
 * One implementation for every kind of token.
 *
 * Callers who want the same share one run; different wants, processes and hosts are kept apart
 * by the lease in the row.
 */
export class TokenEngine {
  private readonly logger = new Logger(TokenEngine.name);
  private readonly copies = new LRUCache<string, HeldCopy<TokenState>>({ ...atMost(COPIES) });
  private readonly refreshes = new SingleFlight<TokenState>();
  private readonly reports = new SingleFlight<ServableState>();
  private readonly exchanges: LeasedExchange;
  private readonly doubts: ClockDoubts;
  private stopping = false;

  constructor(
    private readonly rows: TokenStore<TokenColumns>,
    private readonly source: TokenSource,
    private readonly clock: Clock,
  ) {
    this.exchanges = new LeasedExchange(rows, source, clock);
    this.doubts = new ClockDoubts(clock);
  }

  /**
   * A token that WeChat takes, from memory where it can.
   * @throws {HubError} when there is none and none can be got now.
   */
  async current(key: string): Promise<ServableState> {
    const copy = this.copy(key);
    const state = copy.fresh ?? (await copy.get());
    if (!this.servable(state)) return this.refresh(key, { after: state.generation });
    if (this.due(key, state) && this.mayAttempt(key, state)) {
      void this.quietly(key, { after: state.generation });
    }
    return state;
  }

  /**
   * Refreshes now, whatever the state, and waits: at most once in 10 s over all hosts. Within that
   * time the current token is the answer.
   * @throws {HubError}
   */
  async refreshNow(key: string): Promise<ServableState> {
    const { generation } = await this.reload(key);
    return this.refresh(key, { after: generation, force: true });
  }

  /**
   * Replaces `token` if it is still the current one: one exchange however many callers report it,
   * at most one such refresh per 30 s.
   * @throws {HubError} when it is refused and no other can be got now.
   */
  invalidate(key: string, token: string): Promise<ServableState> {
    return this.reports.run(`${key} ${token}`, () => this.replace(key, token));
  }

  /** Refreshes a token that is due and may be tried; failures are kept in the row, not thrown. */
  async refreshIfDue(key: string): Promise<void> {
    const state = await this.copy(key).get();
    if (!this.due(key, state)) return;
    if (!this.mayAttempt(key, state) && !(await this.mayLift(key, state))) return;
    await this.quietly(key, { after: state.generation });
    // A run that was joined may have begun before what cures its failure arrived.
    const after = await this.copy(key).get();
    if (this.due(key, after) && (await this.mayLift(key, after))) {
      await this.quietly(key, { after: after.generation });
    }
  }

  /**
   * Claims rows of `scope` that are due and refreshes them, up to `concurrency` at once, until
   * nothing is due or `mayGoOn` says no; on any number of hosts. Gives how many it claimed.
   */
  async claimAndRefresh(
    scope: Partial<TokenColumns>,
    concurrency: number,
    mayGoOn: () => boolean,
  ): Promise<number> {
    const running = new Set<Promise<void>>();
    let claimed = 0;
    if (this.doubts.mayLookFor(JSON.stringify(scope))) await this.rows.recallFar(scope);
    while (mayGoOn() && !this.stopping) {
      const room = concurrency - running.size;
      const until = this.clock.now() + LEASE_MS;
      const { claims, more } = await this.rows.claimDue(until, room, scope);
      claimed += claims.length;
      for (const [place, claim] of claims.entries()) {
        const work = this.refreshUnderClaim(claim, place * START_GAP_MS).finally(() =>
          running.delete(work),
        );
        running.add(work);
      }
      if (!more) break;
      // Other hosts are claiming all that was found.
      if (claims.length === 0) await delay(POLL_MS);
      while (running.size > concurrency / 2) await Promise.race(running);
    }
    await Promise.all(running);
    return claimed;
  }

  /** The row was changed by another way than the engine: its copy here is dead. */
  forget(key: string): void {
    this.copies.delete(key);
  }

  /** The row as it is now, for inspection. */
  reload(key: string): Promise<TokenState> {
    return this.copy(key).reload();
  }

  /** No longer begins an exchange; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.exchanges.stop();
    await this.refreshes.idle();
  }

  /** What the claimed refresh needs is asked for under its lease; all failures are in the row. */
  private async refreshUnderClaim({ key, state, lease }: Claim, inMs: number): Promise<void> {
    const attempts = state.attempts + 1;
    await delay(inMs);
    try {
      const exchange = await this.source
        .prepare(key, state, false)
        .catch((error: unknown) => this.exchanges.unprepared(key, lease, error, attempts));
      if (exchange) await this.exchanges.run(key, lease, exchange, attempts);
    } catch (error) {
      if (!(error instanceof HubError)) this.logger.error('A refresh failed unexpectedly', error);
    } finally {
      this.forget(key);
    }
  }

  private copy(key: string): HeldCopy<TokenState> {
    let copy = this.copies.get(key);
    if (!copy) {
      copy = new HeldCopy(() => this.rows.load(key), this.clock, SEEN_WITHIN_5_S);
      this.copies.set(key, copy);
    }
    return copy;
  }

  private servable(state: TokenState): state is ServableState {
    return isServable(state, this.clock.now());
  }

  private due(key: string, state: TokenState): boolean {
    const { due, reason } = refreshDecision(state, this.clock.now());
    if (reason !== 'misdated') return due;
    return this.doubts.mayOverrule(`token of ${key}`, state.generation);
  }

  private mayAttempt(key: string, state: TokenState): boolean {
    const decision = attemptDecision(state, this.clock.now());
    if (decision !== 'misdated') return decision === 'allowed';
    return this.doubts.mayOverrule(`next attempt for ${key}`, state.nextAttemptAt ?? 0);
  }

  /**
   * Whether what the last failure was about has changed since, so that waiting is pointless. What
   * arrives may be as bad as what was there: it counts among what is forced, once in 10 s.
   */
  private async mayLift(key: string, state: TokenState): Promise<boolean> {
    const { lastError } = state;
    if (lastError?.input === undefined || this.wasForced(state)) return false;
    return (await this.source.inputs(key))[lastError.kind] !== lastError.input;
  }

  private async replace(key: string, token: string): Promise<ServableState> {
    const state = await this.reload(key);
    if (!state.token?.equals(token)) return this.current(key);
    await this.rows.markInvalidated(key, state.generation);
    const marked = await this.reload(key);
    return this.due(key, marked)
      ? this.refresh(key, { after: state.generation })
      : (marked as ServableState);
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
    const { after, force } = request;
    const want = `${key} ${force ? 'forced' : 'due'} ${after}`;
    const state = await this.refreshes.run(want, () => this.refreshOnce(key, request));
    if (!this.servable(state)) throw rememberedError(state);
    return state;
  }

  /** Until there is a newer token, or a failure, from this process or another. */
  private async refreshOnce(key: string, { after, force }: RefreshRequest): Promise<TokenState> {
    const started = performance.now();
    let failuresBefore: number | undefined;
    for (;;) {
      const state = await this.reload(key);
      failuresBefore ??= state.attempts;
      if (state.generation > after && this.servable(state)) return state;
      if (!force && !this.due(key, state)) return state;
      const failedElsewhere = state.attempts > failuresBefore;
      const allowed = !failedElsewhere && (force || this.mayAttempt(key, state));
      const lifted = !allowed && (await this.mayLift(key, state));
      if (!allowed && !lifted) throw rememberedError(state);
      const waited = performance.now() - started;
      if (waited > MAX_WAIT_MS || this.stopping) throw refreshInProgress();
      if (isPending(state.leaseUntil, LEASE_MS, this.clock.now())) await this.waitForLease(key);
      else if (force && this.wasForced(state)) return this.servableOrTooSoon(state);
      else if (await this.exchange(key, state, { force, lifted })) return this.reload(key);
    }
  }

  private wasForced({ forcedAt }: TokenState): boolean {
    return isRecent(forcedAt, FORCE_INTERVAL_MS, this.clock.now());
  }

  private servableOrTooSoon(state: TokenState): TokenState {
    if (this.servable(state)) return state;
    throw refreshTooSoon((state.forcedAt ?? 0) + FORCE_INTERVAL_MS);
  }

  private async waitForLease(key: string): Promise<void> {
    const started = performance.now();
    await delay(POLL_MS);
    const seconds = (performance.now() - started) / 1000;
    emitTelemetry('token.lease_wait', { kind: this.source.kind, key, seconds });
  }

  /** Whether there is a new token; not if another process was faster. */
  private async exchange(key: string, state: TokenState, early: Early): Promise<boolean> {
    const { generation, attempts } = state;
    const { force = false, lifted } = early;
    const exchange = await this.source.prepare(key, state, lifted);
    // A lease of its own for each exchange: not even this process takes over another one's.
    const lease = { owner: uuidv4(), generation, until: this.clock.now() + LEASE_MS };
    if (!(await this.rows.acquire(key, lease, force || lifted))) return false;
    try {
      return await this.exchanges.run(key, lease, exchange, attempts + 1);
    } catch (error) {
      // Readers see the back-off at once; if the row can't be read, they try and read it.
      const after = await this.reload(key).catch(() => undefined);
      // A newer token that came by another way meanwhile is what the caller wants.
      if (after && after.generation > generation && this.servable(after)) return true;
      throw error;
    }
  }
}
