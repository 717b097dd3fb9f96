import { Injectable } from '@nestjs/common';
import { LessThan, MoreThan } from 'typeorm';
import { Database } from '../database/database.js';
import { removeInBatches } from '../database/remove-in-batches.js';
import { RefusedPush } from './refused-push.entity.js';

/** What is counted in one row, in milliseconds. */
export const ROW_MS = 3_600_000;

/** Which refused pushes are listed. */
export interface RefusedPushFilter {
  component?: string;
  /** Only what is older than the row of this id. */
  before?: string;
  limit: number;
}

/** The table of refused pushes. */
@Injectable()
export class RefusedPushStore {
  constructor(private readonly database: Database) {}

  /** Writes rows as they are now, those that are there already included. */
  async save(rows: RefusedPush[]): Promise<void> {
    await this.database.write((manager) => manager.upsert(RefusedPush, rows, ['id']));
  }

  /** A page, newest first. */
  page({ component, before, limit }: RefusedPushFilter): Promise<RefusedPush[]> {
    return this.database.read((manager) =>
      manager.find(RefusedPush, {
        where: {
          ...(component === undefined ? {} : { componentAppId: component }),
          ...(before ? { id: LessThan(before) } : {}),
        },
        order: { id: 'DESC' },
        take: limit,
      }),
    );
  }

  /** Those that were counted after a time, in Unix milliseconds, the most frequent first. */
  since(at: number, limit: number): Promise<RefusedPush[]> {
    return this.database.read((manager) =>
      manager.find(RefusedPush, {
        where: { firstAt: MoreThan(at - ROW_MS), lastAt: MoreThan(at) },
        order: { count: 'DESC', id: 'DESC' },
        take: limit,
      }),
    );
  }

  /** How many were refused in rows that {@link since} finds, however many rows there are. */
  async countSince(at: number): Promise<number> {
    const where = { firstAt: MoreThan(at - ROW_MS), lastAt: MoreThan(at) };
    const sum = await this.database.read((manager) => manager.sum(RefusedPush, 'count', where));
    return Number(sum ?? 0);
  }

  /** Removes what began before a time, in Unix milliseconds. */
  removeBefore(firstAt: number): Promise<void> {
    return removeInBatches(this.database, RefusedPush, 'id', {
      where: { firstAt: LessThan(firstAt) },
      order: { firstAt: 'ASC' },
    });
  }

  /** Removes all but the newest. */
  removeBeyond(kept: number): Promise<void> {
    return removeInBatches(this.database, RefusedPush, 'id', { order: { id: 'DESC' }, skip: kept });
  }
}
