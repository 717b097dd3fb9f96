import { setTimeout as delay } from 'node:timers/promises';
import {
  In,
  type EntityTarget,
  type FindManyOptions,
  type FindOptionsSelect,
  type FindOptionsWhere,
  type ObjectLiteral,
} from 'typeorm';
import type { Database } from './database.js';

/** Rows that one statement removes: pushes do not wait for more. */
const BATCH = 500;
/** Pause between statements, in milliseconds: what waits goes first. */
const PAUSE_MS = 5;

/** Removes the rows that a find gives, some at a time, until it gives no more. */
export async function removeInBatches<E extends ObjectLiteral>(
  database: Database,
  entity: EntityTarget<E>,
  key: keyof E & string,
  find: Pick<FindManyOptions<E>, 'where' | 'order' | 'skip'>,
): Promise<void> {
  for (;;) {
    const rows = await database.read((manager) =>
      manager.find(entity, {
        ...find,
        select: { [key]: true } as FindOptionsSelect<E>,
        take: BATCH,
      }),
    );
    if (rows.length > 0) {
      const which = { [key]: In(rows.map((row) => row[key])) } as FindOptionsWhere<E>;
      await database.write((manager) => manager.delete(entity, which));
    }
    if (rows.length < BATCH) return;
    await delay(PAUSE_MS);
  }
}
