import { Inject, Injectable } from '@nestjs/common';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { Clock } from '../common/clock.js';
import { SingleFlight } from '../common/single-flight.js';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../common/times.js';
import type { Component } from '../component/component.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { StatisticStore } from '../statistics/statistic.store.js';
import { isTicketStale, isTicketUsable } from '../ticket/ticket.js';
import { TicketService } from '../ticket/ticket.service.js';
import { TokenService } from '../token/token.service.js';
import { tokenCondition } from '../token-engine/refresh-decision.js';
import type { TokenState } from '../token-engine/token-state.js';
import { finding, MOST_DETAILS, type Finding } from './findings.js';
import {
  credentialsVerdict,
  egressVerdict,
  valuesVerdict,
  type CredentialFacts,
} from './verdicts.js';

/** Refreshes that are later than this are an alert, too (`ops/alerts.yml`). */
const LATE_SECONDS = 300;
/** errcodes of calls that the account has not permitted, or cannot have. */
const NOT_PERMITTED = ['61007', '48001'];

/** What the hub knows of one platform, without asking WeChat. */
@Injectable()
export class PlatformChecks {
  /** What is read for all platforms at once, or for several checks of one: they run together. */
  private readonly counts = new SingleFlight<Awaited<ReturnType<AuthorizerStore['counts']>>>();
  private readonly lateness = new SingleFlight<Awaited<ReturnType<AuthorizerStore['lateness']>>>();
  private readonly states = new SingleFlight<TokenState>();

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly tickets: TicketService,
    private readonly tokens: TokenService,
    private readonly authorizers: AuthorizerStore,
    private readonly statistics: StatisticStore,
    private readonly clock: Clock,
  ) {}

  values({ problem, appSecret, token, encodingAesKey }: Component): Finding {
    if (problem) return finding('platform_unreadable', { message: problem.message });
    return valuesVerdict({
      appSecret: appSecret.current.reveal(),
      token: token.current.reveal(),
      encodingAesKey: encodingAesKey.current.reveal(),
    });
  }

  async ticket({ appid, problem }: Component): Promise<Finding> {
    if (problem) return finding('platform_unreadable', { message: problem.message });
    const ticket = await this.tickets.latest(appid);
    const url = `${this.config.publicUrl}/callback/${appid}/events`;
    if (!ticket) return finding('ticket_none', { url });
    const unreadable = ticket.ticket.problem;
    if (unreadable) return finding('ticket_unreadable', { message: unreadable.message });
    const now = this.clock.now();
    const minutes = Math.max(0, Math.floor((now - ticket.createTime * 1000) / MINUTE_MS));
    if (!isTicketUsable(ticket, now)) return finding('ticket_expired', { minutes, url });
    return isTicketStale(ticket, now)
      ? finding('ticket_late', { minutes, url })
      : finding('ticket_ok', { minutes });
  }

  async credentials(component: Component): Promise<Finding> {
    const { problem } = component;
    if (problem) return finding('platform_unreadable', { message: problem.message });
    return credentialsVerdict(await this.factsOf(component), this.clock.now());
  }

  async egress(component: Component): Promise<Finding> {
    if (component.problem) return finding('egress_unproven');
    return egressVerdict(await this.factsOf(component));
  }

  private stateOf(appid: string): Promise<TokenState> {
    return this.states.run(appid, () => this.tokens.inspect(appid));
  }

  private async factsOf({ appid, appSecret }: Component): Promise<CredentialFacts> {
    const { lastError, attempts, obtainedAt } = await this.stateOf(appid);
    const failure = lastError && attempts > 0 ? lastError : undefined;
    // Uses are noted a little later.
    const byToken = obtainedAt !== null && obtainedAt >= appSecret.changedAt ? obtainedAt : null;
    return { failure, takenAt: appSecret.lastUsedAt ?? byToken };
  }

  async token({ appid, problem }: Component): Promise<Finding> {
    if (problem) return finding('platform_unreadable', { message: problem.message });
    const state = await this.stateOf(appid);
    const now = this.clock.now();
    const { lastError, attempts } = state;
    const condition = tokenCondition(state, now);
    const minutes = Math.max(0, Math.floor(((state.expiresAt ?? 0) - now) / MINUTE_MS));
    if (condition === 'ok') return finding('token_ok', { minutes });
    if (!lastError || attempts === 0) return finding('token_none');
    const { message, kind, advice } = lastError;
    const facts = { message, kind, advice };
    return condition === 'failing'
      ? finding('token_failing', { ...facts, minutes })
      : finding('token_failed', facts);
  }

  async accounts({ appid }: Component): Promise<Finding> {
    const counts = await this.counts.run('', () => this.authorizers.counts());
    const count = counts
      .filter((one) => one.componentAppId === appid && one.status === 'needs_reauthorization')
      .reduce((sum, one) => sum + one.count, 0);
    return count > 0 ? finding('accounts_lost', { count }) : finding('accounts_ok');
  }

  async refreshes({ appid }: Component): Promise<Finding> {
    const lateness = await this.lateness.run('', () => this.authorizers.lateness());
    const seconds = lateness.find((one) => one.componentAppId === appid)?.seconds ?? 0;
    return seconds > LATE_SECONDS
      ? finding('refreshes_late', { minutes: Math.floor(seconds / 60) })
      : finding('refreshes_ok');
  }

  /** What services called in vain through the gateway, by account and path. */
  async permissions({ appid: componentAppId }: Component): Promise<Finding> {
    const now = this.clock.now();
    const lists = await Promise.all(
      NOT_PERMITTED.map((outcome) =>
        this.statistics.sums({
          kinds: ['call'],
          componentAppId,
          outcome,
          from: now - DAY_MS,
          to: now + HOUR_MS,
          groups: ['authorizerAppId', 'path', 'outcome'],
          limit: MOST_DETAILS,
        }),
      ),
    );
    const sums = lists.flat();
    if (sums.length === 0) return finding('permissions_ok');
    const lines = sums.map(({ count, outcome, path, authorizerAppId }) =>
      [`${count} × ${outcome}`, path, authorizerAppId || '–'].join(' · '),
    );
    const count = sums.reduce((sum, one) => sum + one.count, 0);
    return finding('permissions_missing', { count }, lines);
  }
}
