import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Database } from '../database/database.js';
import { Authorizer } from './authorizer.entity.js';
import type { AuthorizerStatus } from './authorizer.js';

/** Accounts of one platform and status. */
export interface AuthorizerCount {
  componentAppId: string;
  status: AuthorizerStatus;
  count: number;
}

/** What the accounts of all platforms look like together; both answers come from an index alone. */
@Injectable()
export class AuthorizerStatistics {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  async counts(): Promise<AuthorizerCount[]> {
    const rows = await this.database.read((manager) =>
      manager
        .createQueryBuilder(Authorizer, 'a')
        .select('a.componentAppId', 'componentAppId')
        .addSelect('a.status', 'status')
        .addSelect('COUNT(*)', 'count')
        .groupBy('a.componentAppId')
        .addGroupBy('a.status')
        .getRawMany<AuthorizerCount>(),
    );
    return rows.map((row) => ({ ...row, count: Number(row.count) }));
  }

  /** Seconds by which each platform's oldest refresh that is due is late; 0 where none is. */
  async lateness(): Promise<{ componentAppId: string; seconds: number }[]> {
    const now = this.clock.now();
    const rows = await this.database.read((manager) =>
      manager
        .createQueryBuilder(Authorizer, 'a')
        .select('a.componentAppId', 'componentAppId')
        .addSelect('MIN(a.refreshAt)', 'oldest')
        .groupBy('a.componentAppId')
        .getRawMany<{ componentAppId: string; oldest: string | number | null }>(),
    );
    return rows.map(({ componentAppId, oldest }) => ({
      componentAppId,
      seconds: oldest === null ? 0 : Math.max(0, now - Number(oldest)) / 1000,
    }));
  }
}
