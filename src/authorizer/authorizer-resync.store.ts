import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { isOverSql, latestEnd } from '../common/clock-trust.js';
import { Database, LONG_WORK_LIMIT_MS } from '../database/database.js';
import { Authorizer } from './authorizer.entity.js';
import { AuthorizerResync } from './authorizer-resync.entity.js';

/** A host that shows no progress for this long is taken to be gone, in milliseconds. */
const LEASE_MS = 60_000;

/** Rows of `authorizer_resync`, and the marks that a resync leaves on `authorizer`. */
@Injectable()
export class AuthorizerResyncStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  find(componentAppId: string): Promise<AuthorizerResync | null> {
    return this.database.read((manager) => manager.findOneBy(AuthorizerResync, { componentAppId }));
  }

  /** Begins a resync, unless one is under way; the row. */
  begin(componentAppId: string): Promise<AuthorizerResync> {
    const now = this.clock.now();
    const resyncId = uuidv7();
    const fresh = { resyncId, done: 0, total: 0, startedAt: now, finishedAt: null };
    return this.database.transaction(async (manager) => {
      await manager
        .createQueryBuilder()
        .insert()
        .into(AuthorizerResync)
        .values({ componentAppId, ...fresh })
        .orUpdate(['component_appid'], ['component_appid'])
        .updateEntity(false)
        .execute();
      const where = { componentAppId };
      const row = await manager.findOneOrFail(AuthorizerResync, {
        where,
        ...this.database.forUpdate,
      });
      if (row.finishedAt === null) return row;
      await manager.update(AuthorizerResync, where, { ...fresh, leaseUntil: null });
      return { ...row, ...fresh, leaseUntil: null };
    });
  }

  /** Takes the right to work on the platform's next page; the row, or undefined. */
  async claim(componentAppId: string): Promise<AuthorizerResync | undefined> {
    const now = this.clock.now();
    const { affected } = await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(AuthorizerResync)
        .set({ leaseUntil: now + LEASE_MS })
        .where('component_appid = :componentAppId', { componentAppId })
        .andWhere(`finished_at IS NULL AND ${isOverSql('lease_until', LEASE_MS, now)}`)
        .execute(),
    );
    return affected === 1 ? ((await this.find(componentAppId)) ?? undefined) : undefined;
  }

  /** Writes the progress and gives the right back. */
  async advance(
    { componentAppId, resyncId }: AuthorizerResync,
    progress: { done: number; total: number; finished: boolean },
  ): Promise<void> {
    const { done, total, finished } = progress;
    const finishedAt = finished ? this.clock.now() : null;
    await this.database.write((manager) =>
      manager.update(
        AuthorizerResync,
        { componentAppId, resyncId },
        { done, total, finishedAt, leaseUntil: null },
      ),
    );
  }

  /** The records of a page of WeChat's list. */
  records(componentAppId: string, authorizerAppIds: string[]): Promise<Authorizer[]> {
    const where = { componentAppId, authorizerAppId: In(authorizerAppIds) };
    return this.database.read((manager) => manager.find(Authorizer, { where }));
  }

  /** Notes that WeChat listed these accounts. */
  async markSeen(
    { componentAppId, resyncId }: AuthorizerResync,
    authorizerAppIds: string[],
  ): Promise<void> {
    if (authorizerAppIds.length === 0) return;
    const which = { componentAppId, authorizerAppId: In(authorizerAppIds) };
    await this.database.write((manager) => manager.update(Authorizer, which, { resyncId }));
  }

  /**
   * Accounts that WeChat did not list, and that did not authorize since it was asked: their
   * information is to be fetched, which tells whether they are gone. The list alone does not: it
   * moves under the paging when an account before withdraws.
   */
  async askAboutUnseen({ componentAppId, resyncId, startedAt }: AuthorizerResync): Promise<void> {
    const now = this.clock.now();
    await this.database.write(
      (manager) =>
        manager
          .createQueryBuilder()
          .update(Authorizer)
          .set({ infoDueAt: now })
          .where("component_appid = :componentAppId AND status <> 'revoked'", { componentAppId })
          .andWhere('(resync_id IS NULL OR resync_id <> :resyncId)', { resyncId })
          // What a clock that was ahead wrote tells nothing of when that was.
          .andWhere(
            '(last_authorized_at IS NULL OR last_authorized_at < :startedAt' +
              ' OR last_authorized_at > :ahead)',
            { startedAt, ahead: latestEnd(0, now) },
          )
          .execute(),
      LONG_WORK_LIMIT_MS,
    );
  }
}
