import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { emitTelemetry } from '../common/telemetry.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { DatabaseUnavailableError } from '../database/database.js';
import { FAILURE_POLICIES, failureKind, nextAttemptAt } from './failure-policy.js';
import type { TokenColumns } from './token-columns.js';
import { LEASE_MS } from './refresh-decision.js';
import type { Exchange, TokenSource } from './token-source.js';
import type { LastError } from './token-state.js';
import type { Failure, FreshToken, Lease, TokenStore } from './token.store.js';
import { isoTime } from '../common/times.js';
import { remark } from '../common/remarks.js';

/** Tries to save a token that WeChat has given: giving up loses it. */
const SAVE_TRIES = 20;
const SAVE_RETRY_MS = 500;

/** The exchange went no further because the lease, or the process, ends: no fault of WeChat's. */
class ExchangeAbandonedError extends HubError {
  constructor(message: string) {
    super('refresh_abandoned', message, { status: 503 });
  }
}

/** Asks WeChat under a lease of the row, and stores what came of it. */
export class LeasedExchange {
  private readonly logger = new Logger(LeasedExchange.name);
  private stopping = false;

  constructor(
    private readonly rows: TokenStore<TokenColumns>,
    private readonly source: TokenSource,
    private readonly clock: Clock,
  ) {}

  /**
   * @param attempts failures in a row if this one fails too.
   * @returns whether the token is saved; not if another host has taken over meanwhile, whatever
   * became of this exchange.
   * @throws what WeChat said, when it is stored.
   */
  async run(key: string, lease: Lease, exchange: Exchange, attempts: number): Promise<boolean> {
    // The life counts from before the call: never later than WeChat counts it.
    const obtainedAt = this.clock.now();
    let outcome = 'ok';
    try {
      const fresh = await exchange.run(() => this.renew(key, lease));
      if (await this.save(key, lease, fresh, obtainedAt)) {
        this.logger.log('Refreshed a token', { tokenKind: this.source.kind, key });
        return true;
      }
      outcome = 'superseded';
      this.logger.warn('A late token was dropped: the row has a newer one', { key });
      // WeChat may have given it after the one that is kept, which then ends soon.
      await this.rows.markDue(key);
      return false;
    } catch (error) {
      outcome = error instanceof ExchangeAbandonedError ? 'abandoned' : failureKind(error);
      if (error instanceof ExchangeAbandonedError) await this.rows.release(key, lease);
      // The row cannot be written; its lease ends by itself and leaves the token due.
      else if (error instanceof DatabaseUnavailableError) throw error;
      else if (await this.failed(key, lease, error, exchange, attempts)) throw error;
      return false;
    } finally {
      emitTelemetry('token.exchange', { kind: this.source.kind, key, outcome });
    }
  }

  /** What the exchange needs is missing: stored like a failed one, so that it is not tried at once. */
  async unprepared(key: string, lease: Lease, error: unknown, attempts: number): Promise<void> {
    await this.failed(key, lease, error, { inputs: {} }, attempts);
  }

  /** Lets no further call of a running exchange begin. */
  stop(): void {
    this.stopping = true;
  }

  private async renew(key: string, lease: Lease): Promise<void> {
    if (this.stopping) throw new ExchangeAbandonedError('The hub is stopping');
    const until = this.clock.now() + LEASE_MS;
    if (!(await this.rows.renew(key, lease, until))) {
      throw new ExchangeAbandonedError('Another host has taken over the refresh');
    }
    lease.until = until;
  }

  /** WeChat has given the token and the old one is dying: a database that is away is tried again. */
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
        const away = error instanceof DatabaseUnavailableError;
        if (tries === SAVE_TRIES || !away || this.stopping) throw error;
        await delay(SAVE_RETRY_MS);
      }
    }
  }

  /** Whether the failure counts; not if another host has taken over. */
  private async failed(
    key: string,
    lease: Lease,
    error: unknown,
    { inputs }: Pick<Exchange, 'inputs'>,
    attempts: number,
  ): Promise<boolean> {
    const lastError = this.toLastError(error, inputs);
    const next = nextAttemptAt(lastError.kind, attempts, lastError.at, Math.random());
    // Without a word from WeChat it may have issued a token, which ends the present one soon.
    const replaced = !(error instanceof WechatApiError && error.errcode !== undefined);
    try {
      const failure = { attempts, nextAttemptAt: next, lastError, due: replaced };
      const counts = await this.rows.fail(key, lease, failure);
      if (counts) {
        this.logFailure(key, failure);
        await this.source.afterFailure(key, error);
      } else {
        this.logger.warn('A failed refresh is void: another host has refreshed', { key });
        if (replaced) await this.rows.markDue(key);
      }
      return counts;
    } catch (failure) {
      // The lease ends by itself, and what it leaves behind makes the token due.
      this.logger.warn('What follows a failed refresh could not be done', failure, { key });
      return true;
    }
  }

  private toLastError(error: unknown, inputs: Exchange['inputs']): LastError {
    const kind = failureKind(error);
    const { operator, advice } = FAILURE_POLICIES[kind];
    const at = this.clock.now();
    return { kind, operator, advice, at, input: inputs[kind], ...describe(error) };
  }

  private logFailure(key: string, { lastError, attempts, nextAttemptAt: next }: Failure): void {
    const { operator, message, advice, details } = lastError;
    this.logger[operator ? 'error' : 'warn'](`A refresh failed: ${message}`, {
      tokenKind: this.source.kind,
      key,
      attempts,
      nextAttemptAt: isoTime(next),
      advice,
      ...details,
    });
  }
}

function describe(error: unknown): Pick<LastError, 'code' | 'message' | 'status' | 'details'> {
  if (error instanceof HubError) {
    const { code, message, status, details } = error;
    return { code, message, status, details };
  }
  return { code: 'refresh_failed', message: remark('refresh_failed'), status: 503, details: {} };
}
