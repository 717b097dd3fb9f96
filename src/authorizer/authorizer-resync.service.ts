import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { ComponentService } from '../component/component.service.js';
import { Database } from '../database/database.js';
import { ComponentCall } from '../token/component-call.js';
import { ComponentApi, type ListedAuthorizer } from '../wechat-api/component-api.js';
import { Authorizer } from './authorizer.entity.js';
import { AuthorizerResync } from './authorizer-resync.entity.js';
import { AuthorizerStore } from './authorizer.store.js';

/** WeChat gives 500 accounts a page at the most. */
const PAGE = 500;
/** A host that shows no progress for this long is taken to be gone, in milliseconds. */
const LEASE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
/** Accounts missing from WeChat's list that one statement looks up. */
const GONE_BATCH = 200;

/**
 * Compares the records with WeChat's list of accounts: adds what is missing, repairs lost refresh
 * tokens, marks what is gone, deletes nothing. The progress stands in a row, so it goes on where
 * it was after a crash.
 */
@Injectable()
export class AuthorizerResyncService {
  private readonly logger = new Logger(AuthorizerResyncService.name);

  constructor(
    private readonly authorizers: AuthorizerStore,
    private readonly components: ComponentService,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Begins a resync, unless one is under way; its progress. @throws {ComponentUnknownError} */
  async begin(componentAppId: string): Promise<AuthorizerResync> {
    await this.components.getEnabled(componentAppId);
    const now = this.clock.now();
    return this.database.transaction(async (manager) => {
      const running = await manager.findOne(AuthorizerResync, {
        where: { componentAppId },
        ...this.database.forUpdate,
      });
      if (running && running.finishedAt === null) return running;
      const fresh = {
        componentAppId,
        resyncId: uuidv7(),
        done: 0,
        total: 0,
        startedAt: now,
        finishedAt: null,
        leaseUntil: null,
      };
      await manager.save(AuthorizerResync, fresh, { reload: false });
      return fresh;
    });
  }

  /** The last resync of a platform. */
  async progress(componentAppId: string): Promise<AuthorizerResync | null> {
    await this.components.get(componentAppId);
    return this.database.read((manager) => manager.findOneBy(AuthorizerResync, { componentAppId }));
  }

  /** Begins the daily ones, and goes on with those that nobody is working on. */
  @Cron(CronExpression.EVERY_30_SECONDS, { name: 'authorizer-resync', waitForCompletion: true })
  async tick(): Promise<void> {
    try {
      for (const { appid } of await this.components.enabled()) {
        await this.beginDaily(appid);
        await this.goOn(appid);
      }
    } catch (error) {
      this.logger.warn('A resync was interrupted; it goes on in half a minute', error);
    }
  }

  /** Works on the platform's resync until it is finished; returns at once if another host does. */
  async goOn(componentAppId: string): Promise<void> {
    while (await this.claim(componentAppId)) {
      const resync = await this.progress(componentAppId);
      if (!resync || resync.finishedAt !== null) return;
      await this.takePage(resync);
    }
  }

  private async beginDaily(componentAppId: string): Promise<void> {
    const last = await this.progress(componentAppId);
    if (!last || last.startedAt < this.clock.now() - DAY_MS) await this.begin(componentAppId);
  }

  private async claim(componentAppId: string): Promise<boolean> {
    const now = this.clock.now();
    const result = await this.database.transaction((manager) =>
      manager
        .createQueryBuilder()
        .update(AuthorizerResync)
        .set({ leaseUntil: now + LEASE_MS })
        .where('component_appid = :componentAppId', { componentAppId })
        .andWhere('finished_at IS NULL AND (lease_until IS NULL OR lease_until <= :now)', { now })
        .execute(),
    );
    return result.affected === 1;
  }

  private async takePage(resync: AuthorizerResync): Promise<void> {
    const { componentAppId, done, resyncId } = resync;
    const page = await this.calls.run(componentAppId, (token) =>
      this.api.authorizerList(componentAppId, token, { offset: done, count: PAGE }),
    );
    for (const entry of page.list) await this.compare(componentAppId, resyncId, entry);
    const seen = done + page.list.length;
    const last = page.list.length === 0 || seen >= page.total;
    if (last) await this.markGone(resync);
    await this.database.transaction((manager) =>
      manager.update(
        AuthorizerResync,
        { componentAppId, resyncId },
        {
          done: seen,
          total: page.total,
          leaseUntil: null,
          finishedAt: last ? this.clock.now() : null,
        },
      ),
    );
  }

  private async compare(
    componentAppId: string,
    resyncId: string,
    { authorizerAppId, refreshToken }: ListedAuthorizer,
  ): Promise<void> {
    const id = { componentAppId, authorizerAppId };
    await this.database.transaction(async (manager) => {
      if (refreshToken) await this.authorizers.repair(id, refreshToken, manager);
      await manager.update(Authorizer, id, { resyncId });
    });
  }

  /** Active accounts that WeChat did not list, and that did not authorize since it was asked. */
  private async markGone({ componentAppId, resyncId, startedAt }: AuthorizerResync): Promise<void> {
    for (;;) {
      const rows = await this.database.read((manager) =>
        manager
          .createQueryBuilder(Authorizer, 'authorizer')
          .where("authorizer.componentAppId = :componentAppId AND authorizer.status = 'active'", {
            componentAppId,
          })
          .andWhere('(authorizer.resyncId IS NULL OR authorizer.resyncId <> :resyncId)', {
            resyncId,
          })
          .andWhere('authorizer.lastAuthorizedAt < :startedAt', { startedAt })
          .limit(GONE_BATCH)
          .getMany(),
      );
      for (const row of rows) {
        const { authorizerAppId } = row;
        await this.authorizers.stop({ componentAppId, authorizerAppId }, 'revoked', {
          what: 'gone_from_list',
        });
      }
      if (rows.length < GONE_BATCH) return;
    }
  }
}
