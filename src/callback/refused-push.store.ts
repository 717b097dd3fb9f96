import { Injectable } from '@nestjs/common';
import { In, LessThan } from 'typeorm';
import { Database } from '../database/database.js';
import { RefusedPush } from './refused-push.entity.js';

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

  /** Removes up to `limit` rows that began before a time; answers how many. */
  async removeBefore(firstAt: number, limit: number): Promise<number> {
    const rows = await this.database.read((manager) =>
      manager.find(RefusedPush, {
        select: { id: true },
        where: { firstAt: LessThan(firstAt) },
        order: { firstAt: 'ASC' },
        take: limit,
      }),
    );
    return this.remove(rows);
  }

  /** Removes up to `limit` rows beyond the newest `kept`; answers how many. */
  async removeBeyond(kept: number, limit: number): Promise<number> {
    const rows = await this.database.read((manager) =>
      manager.find(RefusedPush, {
        select: { id: true },
        order: { id: 'DESC' },
        skip: kept,
        take: limit,
      }),
    );
    return this.remove(rows);
  }

  private async remove(rows: Pick<RefusedPush, 'id'>[]): Promise<number> {
    if (rows.length > 0) {
      const id = In(rows.map((row) => row.id));
      await this.database.write((manager) => manager.delete(RefusedPush, { id }));
    }
    return rows.length;
  }
}
