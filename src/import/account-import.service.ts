import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { AuthorizerPauses } from '../authorizer/authorizer-pauses.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import {
  movedIn,
  moveInStep,
  type Account,
  type MoveInStep,
} from '../authorizer/authorizer-transitions.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { isoTime } from '../common/times.js';
import { piecesOf } from '../database/sql.js';
import { toHubError } from '../http/hub-error.filter.js';
import { TokenService } from '../token/token.service.js';
import type { BroughtAccount } from './brought-accounts.js';

/**
 * Accounts that are stored together, then verified, before the next are stored: a hub that runs
 * verifies what it finds by its own timer, as many at once as it likes.
 */
const PIECE = 25;
/** Accounts whose rows are looked up together. */
const LOOKED_UP = 500;
/** So many failures in a row that are not about the account are about all of them. */
const MOST_FAILURES = 20;
/** How long another process is waited for that verifies the same account, in milliseconds. */
const ELSEWHERE_MS = 500;
const ELSEWHERE_TRIES = 40;

/** Codes of failures that are about one account. */
const ABOUT_ACCOUNT = new Set([
  'needs_reauthorization',
  'authorizer_revoked',
  'authorizer_suspended',
  'authorizer_without_api',
]);

/** Why the accounts that a former run or the hub has stopped are not tried again. */
const STOPPED: Partial<Record<MoveInStep, string>> = {
  needs_reauthorization:
    'WeChat has refused this refresh token; the account has to authorize again',
  revoked: 'The account has withdrawn its authorization',
  suspended: 'WeChat has frozen, banned or cancelled the account',
};

/** How many accounts there are of each step. */
export type StepCounts = Record<MoveInStep, number>;

/** What became of an account; one that is not tried is left for the next run. */
export interface Outcome {
  account: BroughtAccount;
  result: 'verified' | 'verified_before' | 'failed' | 'not_tried';
  /** Where it is not verified: a stable code, and a sentence. */
  code?: string;
  message?: string;
}

/** How a run is made. */
export interface ImportOptions {
  /** Name of the other system, for the history of the accounts. */
  source: string;
  /** Accounts that are verified at once. */
  concurrency: number;
  /** Nothing more is begun. */
  stopped: () => boolean;
  /** Called with what became of each account. */
  onOutcome: (outcome: Outcome) => void;
}

/**
 * Moves accounts of another system in, each verified by one refresh of its token. All progress is in
 * the accounts' rows, so a run that was killed is repeated: what has a token is not asked for again.
 */
@Injectable()
export class AccountImportService {
  constructor(
    private readonly store: AuthorizerStore,
    private readonly tokens: AuthorizerTokenService,
    private readonly pauses: AuthorizerPauses,
    private readonly componentTokens: TokenService,
  ) {}

  /** What {@link run} would do for accounts of one platform; writes nothing. */
  async plan(accounts: BroughtAccount[]): Promise<StepCounts> {
    const counts: StepCounts = {
      add: 0,
      verify: 0,
      verified: 0,
      needs_reauthorization: 0,
      revoked: 0,
      suspended: 0,
    };
    for (const piece of piecesOf(accounts, LOOKED_UP)) {
      for (const { step } of await this.stepsOf(piece)) counts[step] += 1;
    }
    return counts;
  }

  /** Moves accounts of one platform in. */
  async run(accounts: BroughtAccount[], options: ImportOptions): Promise<void> {
    const [first] = accounts;
    if (!first) return;
    const platform = new PlatformRun(options, () => this.pauses.until(first.componentAppId));
    await this.componentTokens
      .current(first.componentAppId)
      .catch((error: unknown) => platform.giveUp(error));
    for (const piece of piecesOf(accounts, PIECE)) {
      if (platform.isOver) for (const account of piece) platform.leave(account);
      else await this.movePiece(piece, platform);
    }
  }

  private async movePiece(piece: BroughtAccount[], platform: PlatformRun): Promise<void> {
    const steps = await this.stepsOf(piece);
    const wanted: { account: BroughtAccount; failedBefore: boolean }[] = [];
    const added: BroughtAccount[] = [];
    for (const { account, step, known } of steps) {
      const why = STOPPED[step];
      if (step === 'verified') platform.end({ account, result: 'verified_before' });
      else if (why) platform.end({ account, result: 'failed', code: step, message: why });
      else wanted.push({ account, failedBefore: (known?.attempts ?? 0) > 0 && step === 'verify' });
      if (step === 'add') added.push(account);
    }
    await this.add(added, platform.options.source);
    const queue = wanted.values();
    const work = async (): Promise<void> => {
      for (const { account, failedBefore } of queue) {
        if (platform.isOver) platform.leave(account);
        else await this.verify(account, failedBefore, platform);
      }
    };
    await Promise.all(Array.from({ length: platform.options.concurrency }, work));
  }

  private async add(accounts: BroughtAccount[], source: string): Promise<void> {
    const [first] = accounts;
    if (!first) return;
    const brought = new Map(accounts.map((one) => [one.authorizerAppId, one.brought]));
    const changed = await this.store.changeAll(
      first.componentAppId,
      [...brought.keys()],
      (account, now) => {
        const values = brought.get(account.authorizerAppId);
        return values && movedIn(account, { ...values, source }, now);
      },
    );
    for (const account of changed) this.tokens.forget(account);
  }

  /** One refresh, by whichever process comes first. */
  private async verify(
    account: BroughtAccount,
    failedBefore: boolean,
    platform: PlatformRun,
  ): Promise<void> {
    try {
      // What failed before waits for its next attempt, unless somebody wants it now.
      if (failedBefore) await this.tokens.refreshNow(account);
      else await this.current(account);
      platform.end({ account, result: 'verified' });
    } catch (error) {
      platform.fail(account, error);
    }
  }

  /** A token, once a refresh that was begun by another process, or by one that was killed, is over. */
  private async current(account: BroughtAccount): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.tokens.supplyOf(account).current();
        return;
      } catch (error) {
        const isElsewhere = toHubError(error).code === 'refresh_in_progress';
        if (!isElsewhere || tries === ELSEWHERE_TRIES) throw error;
        await delay(ELSEWHERE_MS);
      }
    }
  }

  private async stepsOf(
    piece: BroughtAccount[],
  ): Promise<{ account: BroughtAccount; step: MoveInStep; known: Account | undefined }[]> {
    const [first] = piece;
    if (!first) return [];
    const appIds = piece.map(({ authorizerAppId }) => authorizerAppId);
    const known = await this.store.accounts(first.componentAppId, appIds);
    return piece.map((account) => {
      const row = known.get(account.authorizerAppId);
      return { account, step: moveInStep(row, account.brought.refreshToken), known: row };
    });
  }
}

/** A run of one platform: whether to go on, and why not. */
class PlatformRun {
  private failures = 0;
  private over: { code: string; message: string } | undefined;

  constructor(
    readonly options: ImportOptions,
    private readonly pausedUntil: () => number | undefined,
  ) {}

  get isOver(): boolean {
    if (!this.over && this.options.stopped()) {
      this.over = { code: 'stopped', message: 'The import was stopped' };
    }
    return this.over !== undefined;
  }

  end(outcome: Outcome): void {
    if (outcome.result === 'verified') this.failures = 0;
    this.options.onOutcome(outcome);
  }

  leave(account: BroughtAccount): void {
    this.end({ account, result: 'not_tried', ...this.over });
  }

  fail(account: BroughtAccount, error: unknown): void {
    const { code, message } = toHubError(error);
    this.end({ account, result: 'failed', code, message });
    if (ABOUT_ACCOUNT.has(code)) return;
    this.failures += 1;
    const until = this.pausedUntil();
    if (until !== undefined) this.giveUp(error, ` (the hub pauses until ${isoTime(until)})`);
    else if (this.failures >= MOST_FAILURES) this.giveUp(error);
  }

  /** The platform's other accounts are left: they would fail likewise. */
  giveUp(error: unknown, more = ''): void {
    const { code, message } = toHubError(error);
    this.over = { code, message: message + more };
  }
}
