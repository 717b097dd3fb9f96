import { Injectable, Logger } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { Clock } from '../common/clock.js';
import { latestEnd } from '../common/clock-trust.js';
import { Database } from '../database/database.js';
import { ComponentCall } from '../token/component-call.js';
import { failureKind, LONGEST_WAIT_MS, nextAttemptAt } from '../token-engine/failure-policy.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { Authorizer } from './authorizer.entity.js';
import { authorizerIdOf } from './authorizer.js';
import { AuthorizerFindings } from './authorizer-findings.js';
import { AuthorizerPauses } from './authorizer-pauses.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { AuthorizerTransitions } from './authorizer.transitions.js';

/** Accounts that are asked about at once. */
const BATCH = 20;
/** Batches of one turn of the timer. */
const MAX_BATCHES = 10;
/** An account that a host took up is left to it for so long, in milliseconds. */
const CLAIM_MS = 60_000;
/** Failures are as good as the fourth one: there is no hurry. */
const PATIENT_ATTEMPT = 4;

/** Fetches what WeChat knows of accounts (api_get_authorizer_info), where the record asks for it. */
@Injectable()
export class AuthorizerInfoService {
  private readonly logger = new Logger(AuthorizerInfoService.name);

  constructor(
    private readonly findings: AuthorizerFindings,
    private readonly transitions: AuthorizerTransitions,
    private readonly tokens: AuthorizerTokenService,
    private readonly pauses: AuthorizerPauses,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Takes up the accounts whose information is due. */
  async fetchDue(): Promise<void> {
    await this.recall();
    for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
      const due = await this.claim();
      await Promise.all(due.map((row) => this.fetch(row)));
      if (due.length < BATCH) return;
    }
  }

  /**
   * Makes due what is due further ahead than any wait: a clock that was ahead wrote it. Apart from
   * the claim, whose locks would then reach to the end of the index and hold up other hosts.
   */
  private async recall(): Promise<void> {
    const now = this.clock.now();
    const infoDueAt = MoreThan(latestEnd(LONGEST_WAIT_MS, now));
    const far = await this.database.read((manager) => manager.existsBy(Authorizer, { infoDueAt }));
    if (!far) return;
    await this.database.write((manager) =>
      manager.update(Authorizer, { infoDueAt }, { infoDueAt: now }),
    );
  }

  private claim(): Promise<Authorizer[]> {
    const now = this.clock.now();
    return this.database.transaction(async (manager) => {
      const query = manager
        .createQueryBuilder(Authorizer, 'authorizer')
        .where('authorizer.infoDueAt <= :now', { now })
        .orderBy('authorizer.infoDueAt', 'ASC')
        .limit(BATCH);
      if (this.database.dialect === 'mysql') {
        query.setLock('pessimistic_write').setOnLocked('skip_locked');
      }
      const rows = await query.getMany();
      const infoDueAt = now + CLAIM_MS;
      for (const row of rows) {
        await manager.update(Authorizer, authorizerIdOf(row), { infoDueAt });
      }
      return rows.map((row) => Object.assign(row, { infoDueAt }));
    });
  }

  private async fetch(row: Authorizer): Promise<void> {
    const { componentAppId, authorizerAppId } = row;
    const pausedUntil = this.pauses.until(componentAppId);
    if (pausedUntil !== undefined) {
      await this.postpone(row, pausedUntil);
      return;
    }
    try {
      const answer = await this.calls.run(componentAppId, (token) =>
        this.api.authorizerInfo(componentAppId, token, authorizerAppId),
      );
      await this.findings.keepInfo(row, answer);
      this.tokens.forget(row);
    } catch (error) {
      await this.failed(row, error);
    }
  }

  private async failed(row: Authorizer, error: unknown): Promise<void> {
    this.pauses.notice(row.componentAppId, error);
    const kind = failureKind(error);
    if (kind === 'withdrawn') {
      await this.transitions.stop(row, row.generation, 'revoked', { what: 'found_withdrawn' });
      await this.postpone(row, null);
      this.tokens.forget(row);
      return;
    }
    await this.postpone(row, nextAttemptAt(kind, PATIENT_ATTEMPT, this.clock.now(), Math.random()));
    this.logger.warn('The information of an account could not be fetched', error);
  }

  /** Moves the next try, unless somebody has asked for it anew since. */
  private async postpone(row: Authorizer, infoDueAt: number | null): Promise<void> {
    await this.database.write((manager) =>
      manager.update(
        Authorizer,
        { ...authorizerIdOf(row), infoDueAt: row.infoDueAt as number },
        { infoDueAt },
      ),
    );
  }
}
