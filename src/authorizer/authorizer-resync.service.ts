import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Clock } from '../common/clock.js';
import { isRecent } from '../common/clock-trust.js';
import { DAY_MS } from '../common/times.js';
import { ComponentService } from '../component/component.service.js';
import { TicketMissingError } from '../ticket/ticket.js';
import { ComponentCall } from '../token/component-call.js';
import { ComponentApi, type ListedAuthorizer } from '../wechat-api/component-api.js';
import type { AuthorizerResync } from './authorizer-resync.entity.js';
import { AuthorizerResyncStore } from './authorizer-resync.store.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { isListedAsKnown, listed } from './authorizer-transitions.js';
import { AuthorizerStore } from './authorizer.store.js';

/** WeChat gives 500 accounts a page at the most. */
const PAGE = 500;
/** Accounts that one transaction writes: short enough that events do not wait for it. */
const BATCH = 25;

/**
 * Compares the records with WeChat's list of accounts: adds what is missing, repairs lost refresh
 * tokens, has what is gone looked up and marked, deletes nothing. The progress is kept in a row, so
 * it goes on where it was after a crash.
 */
@Injectable()
export class AuthorizerResyncService {
  private readonly logger = new Logger(AuthorizerResyncService.name);

  constructor(
    private readonly resyncs: AuthorizerResyncStore,
    private readonly accounts: AuthorizerStore,
    private readonly tokens: AuthorizerTokenService,
    private readonly components: ComponentService,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly clock: Clock,
  ) {}

  /** Begins a resync, unless one is under way; its progress. @throws {ComponentUnknownError} */
  async begin(componentAppId: string): Promise<AuthorizerResync> {
    await this.components.getEnabled(componentAppId);
    return this.resyncs.begin(componentAppId);
  }

  /** The last resync of a platform. */
  async progress(componentAppId: string): Promise<AuthorizerResync | null> {
    await this.components.get(componentAppId);
    return this.resyncs.find(componentAppId);
  }

  /** Begins the daily ones, and goes on with those that no host is working on. */
  @Cron(CronExpression.EVERY_30_SECONDS, { name: 'authorizer-resync', waitForCompletion: true })
  async tick(): Promise<void> {
    const components = await this.components.enabled().catch(() => []);
    await Promise.all(components.map(({ appid }) => this.tickOf(appid)));
  }

  /** Works on the platform's resync until it is finished; returns at once if another host does. */
  async goOn(componentAppId: string): Promise<void> {
    let finished = false;
    // The next resync belongs to the one who begins it: nothing is claimed behind the last page.
    while (!finished) {
      const resync = await this.resyncs.claim(componentAppId);
      if (!resync) return;
      finished = await this.takePage(resync);
    }
  }

  private async tickOf(componentAppId: string): Promise<void> {
    try {
      const last = await this.resyncs.find(componentAppId);
      const begunToday = isRecent(last?.startedAt ?? null, DAY_MS, this.clock.now());
      if (!begunToday) await this.begin(componentAppId);
      await this.goOn(componentAppId);
    } catch (error) {
      // Before the first ticket nothing can be done, and the watch over tickets says so.
      const level = error instanceof TicketMissingError ? 'debug' : 'warn';
      this.logger[level]('A resync was interrupted; it goes on in a minute', error);
    }
  }

  /** Whether the page was the last one. */
  private async takePage(resync: AuthorizerResync): Promise<boolean> {
    const { componentAppId, done } = resync;
    const asOf = this.clock.now();
    const page = await this.calls.run(componentAppId, (token) =>
      this.api.authorizerList(componentAppId, token, { offset: done, count: PAGE }),
    );
    await this.compare(resync, page.list, asOf);
    const seen = done + page.received;
    const finished = page.received === 0 || seen >= page.total;
    if (finished) await this.accounts.askAboutUnlisted(resync);
    await this.resyncs.advance(resync, { done: seen, total: page.total, finished });
    return finished;
  }

  private async compare(
    resync: AuthorizerResync,
    list: ListedAuthorizer[],
    asOf: number,
  ): Promise<void> {
    const { componentAppId } = resync;
    const appIds = list.map(({ authorizerAppId }) => authorizerAppId);
    const known = await this.accounts.accounts(componentAppId, appIds);
    const others = list.filter(({ authorizerAppId, refreshToken }) => {
      const account = known.get(authorizerAppId);
      return !account || !isListedAsKnown(account, refreshToken);
    });
    for (let from = 0; from < others.length; from += BATCH) {
      const lines = others.slice(from, from + BATCH);
      const tokens = new Map(lines.map((line) => [line.authorizerAppId, line.refreshToken]));
      const changed = await this.accounts.changeAll(
        componentAppId,
        [...tokens.keys()],
        (account, now) =>
          listed(account, { refreshToken: tokens.get(account.authorizerAppId), asOf }, now),
      );
      for (const id of changed) this.tokens.forget(id);
    }
    await this.accounts.markListed(resync, appIds);
  }
}
