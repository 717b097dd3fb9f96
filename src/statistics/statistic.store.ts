import { Injectable } from '@nestjs/common';
import { LessThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { CHINA_OFFSET_MS, DAY_MS } from '../common/times.js';
import { Database } from '../database/database.js';
import { removeInBatches } from '../database/remove-in-batches.js';
import { piecesOf } from '../database/sql.js';
import type { HourlyCount, StatisticKind } from './hourly-counts.js';
import { Statistic } from './statistic.entity.js';

/** Rows that one statement adds: SQLite takes some 32 000 values. */
const ROWS = 500;
const ONE_ROW = '(?, ?, ?, ?, ?, ?, ?, ?, ?)';
const INSERT =
  'INSERT INTO statistic ' +
  '(id, hour, kind, actor, component_appid, authorizer_appid, path, outcome, count) VALUES ';
const ADD = {
  sqlite:
    ' ON CONFLICT (hour, kind, component_appid, authorizer_appid, actor, path, outcome)' +
    ' DO UPDATE SET count = statistic.count + excluded.count',
  mysql: ' ON DUPLICATE KEY UPDATE count = count + VALUES(count)',
};

/** What sums can be split by: columns, and times of the beginning. */
const GROUPS = {
  kind: 's.kind',
  actor: 's.actor',
  componentAppId: 's.componentAppId',
  authorizerAppId: 's.authorizerAppId',
  path: 's.path',
  outcome: 's.outcome',
  hour: 's.hour',
  /** A day in China. */
  day: `s.hour - ((s.hour + ${CHINA_OFFSET_MS}) % ${DAY_MS})`,
} as const;
export type Group = keyof typeof GROUPS;

type Filter = Partial<
  Pick<Statistic, 'kind' | 'actor' | 'componentAppId' | 'authorizerAppId' | 'path' | 'outcome'>
>;
/** A sum of counts, with what it was split by; times in Unix milliseconds. */
export type Sum = { count: number; hour?: number; day?: number } & Filter;

export interface SumsWanted extends Omit<Filter, 'kind'> {
  /** Of these kinds only. */
  kinds: StatisticKind[];
  /** Unix milliseconds: hours that begin from `from` on and before `to`. */
  from: number;
  to: number;
  groups: Group[];
  limit: number;
}

/** Rows of `statistic`. */
@Injectable()
export class StatisticStore {
  constructor(private readonly database: Database) {}

  /**
   * Adds to what all hosts have counted.
   * @param limitMs see {@link Database.transaction}
   */
  async add(counts: HourlyCount[], limitMs?: number): Promise<void> {
    // Hosts that lock rows in the same order do not wait for each other in a circle.
    const sorted = counts.map(toValues).toSorted(byText);
    await this.database.transaction(async (manager) => {
      for (const piece of piecesOf(sorted, ROWS)) {
        const rows = piece.map(() => ONE_ROW).join(', ');
        const values = piece.flatMap((row) => [uuidv7(), ...row]);
        await manager.query(`${INSERT}${rows}${ADD[this.database.dialect]}`, values);
      }
    }, limitMs);
  }

  /** Sums by group, the greatest first. */
  async sums({ kinds, from, to, groups, limit, ...filter }: SumsWanted): Promise<Sum[]> {
    if (kinds.length === 0) return [];
    const rows = await this.database.read<Record<string, string | number>[]>((manager) => {
      const select = manager
        .createQueryBuilder(Statistic, 's')
        .select('SUM(s.count)', 'total')
        .where('s.hour >= :from AND s.hour < :to', { from, to })
        .andWhere('s.kind IN (:...kinds)', { kinds })
        .orderBy('total', 'DESC')
        .limit(limit);
      for (const [name, value] of Object.entries(filter)) {
        if (value !== undefined) select.andWhere(`s.${name} = :${name}`, { [name]: value });
      }
      for (const group of groups) {
        select.addSelect(GROUPS[group], `by_${group}`).addGroupBy(GROUPS[group]);
        select.addOrderBy(`by_${group}`);
      }
      return select.getRawMany();
    });
    return rows.map((row) => ({
      ...Object.fromEntries(
        groups.map((group) => {
          const value = row[`by_${group}`];
          return [group, group === 'hour' || group === 'day' ? Number(value) : value];
        }),
      ),
      count: Number(row['total'] ?? 0),
    }));
  }

  /** Removes the hours that began before `before`, in Unix milliseconds. */
  remove(before: number): Promise<void> {
    return removeInBatches(this.database, Statistic, 'id', { where: { hour: LessThan(before) } });
  }
}

function toValues(counted: HourlyCount): (string | number)[] {
  const { hour, kind, actor, componentAppId, authorizerAppId, path, outcome, count } = counted;
  return [hour, kind, actor, componentAppId, authorizerAppId, path, outcome.slice(0, 64), count];
}

function byText(a: unknown[], b: unknown[]): number {
  const [left, right] = [a.join(' '), b.join(' ')];
  return left < right ? -1 : left > right ? 1 : 0;
}
