import { MoreThan, type EntityTarget, type FindOptionsWhere, type ObjectLiteral } from 'typeorm';
import { latestEnd } from '../common/clock-trust.js';
import type { Database } from './database.js';

/** Rows that one statement changes. */
const BATCH = 500;

/** Rows of a table that come up when the time in `due` comes. */
export interface WaitingRows<E extends ObjectLiteral> {
  entity: EntityTarget<E>;
  /** Which of them: with `due`, columns of an index. */
  where: FindOptionsWhere<E>;
  /** Property of the time, in Unix milliseconds. */
  due: keyof E & string;
  /** Longest that they are put off, in milliseconds. */
  longestMs: number;
  /** Further properties that change where a row is recalled. */
  also?: Partial<E>;
}

/**
 * Makes rows due that are put off for longer than there is a wait: a clock that was ahead wrote
 * that, and a search for what is due would not find them. Looks first and changes by primary key,
 * so that no end of an index is locked.
 * @param now Unix milliseconds. @returns how many there were.
 */
export async function recallFar<E extends ObjectLiteral>(
  database: Database,
  { entity, where, due, longestMs, also }: WaitingRows<E>,
  now: number,
): Promise<number> {
  const isFar = { [due]: MoreThan(latestEnd(longestMs, now)) };
  let recalled = 0;
  for (;;) {
    const ids = await database.read(async (manager) => {
      const metadata = manager.connection.getMetadata(entity);
      const keys = metadata.primaryColumns.map(({ propertyName }) => [propertyName, true]);
      const select = Object.fromEntries(keys) as object;
      const rows = await manager.find(entity, {
        select,
        where: { ...where, ...isFar },
        take: BATCH,
      });
      return rows.map((row) => metadata.getEntityIdMap(row) as ObjectLiteral);
    });
    if (ids.length === 0) return recalled;
    const { affected } = await database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(entity)
        .set({ ...also, [due]: now } as object)
        .whereInIds(ids)
        .andWhere(isFar)
        .execute(),
    );
    recalled += affected ?? 0;
    if (!affected || ids.length < BATCH) return recalled;
  }
}
