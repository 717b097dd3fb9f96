import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { isOverSql } from '../common/clock-trust.js';
import { Database } from '../database/database.js';
import { AuthorizerResync } from './authorizer-resync.entity.js';

/** A host that shows no progress for this long is taken to be gone, in milliseconds. */
const LEASE_MS = 60_000;

/** Rows of `authorizer_resync`. */
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
}
