import type {
  EntityManager,
  EntityTarget,
  ObjectLiteral,
  OrderByCondition,
  QueryDeepPartialEntity,
} from 'typeorm';
import { piecesOf } from './sql.js';

/** Candidates that are looked at for each row that is wanted: other hosts want them too. */
const CANDIDATES = 3;

/** Which rows are due, and what leases them. */
export interface Due<E extends ObjectLiteral> {
  entity: EntityTarget<E>;
  /** Values or find operators by property. */
  where: { [K in keyof E]?: unknown };
  /** Property by which the rows that are due longest go first. */
  order: keyof E & string;
  /** Most rows that are claimed. */
  limit: number;
  /** Passed over: this process works on it although its lease has ended. */
  except?: (row: E) => boolean;
  /** Columns that keep other hosts, and the next claim, from the row. */
  lease: Partial<E>;
}

/** What a claim has found. */
export interface Claimed<E> {
  /** As they were before. */
  rows: E[];
  /** Whether more may be due, or other hosts are claiming what was found. */
  more: boolean;
}

/**
 * Leases rows that are due, oldest first, within the transaction of `manager`; any number of hosts
 * may do so at once, and none waits for another.
 *
 * The rows are found without a lock and locked by their primary key: a range of an index that is
 * locked would hold up the writes of everybody else. What another host has locked is passed over;
 * what it has claimed meanwhile no longer meets the condition. SQLite has one writer, and no
 * locking clause.
 */
export async function claimDue<E extends ObjectLiteral>(
  manager: EntityManager,
  { entity, where, order, limit, except = () => false, lease }: Due<E>,
): Promise<Claimed<E>> {
  const orderBy: OrderByCondition = { [`due.${order}`]: 'ASC' };
  const select = () => manager.createQueryBuilder(entity, 'due').where(where as ObjectLiteral);
  const metadata = manager.connection.getMetadata(entity);
  const idsOf = (list: E[]) => list.map((row) => metadata.getEntityIdMap(row));
  const found = await select()
    .select(metadata.primaryColumns.map(({ propertyName }) => `due.${propertyName}`))
    .orderBy(orderBy)
    .limit(limit * CANDIDATES)
    .getMany();
  const free = found.filter((row) => !except(row));
  let rows: E[] = [];
  for (const piece of piecesOf(free, limit)) {
    const these = select().andWhereInIds(idsOf(piece));
    if (manager.connection.options.type === 'mysql') {
      these.useIndex('PRIMARY').setLock('pessimistic_write').setOnLocked('skip_locked');
    } else these.orderBy(orderBy);
    rows = await these.getMany();
    if (rows.length > 0) break;
  }
  if (rows.length > 0) {
    await manager
      .createQueryBuilder()
      .update(entity)
      .set(lease as QueryDeepPartialEntity<E>)
      .whereInIds(idsOf(rows))
      .execute();
  }
  return { rows, more: free.length > rows.length || found.length === limit * CANDIDATES };
}
