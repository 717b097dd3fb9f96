import type { EntityManager } from 'typeorm';
import { marks, piecesOf } from './sql.js';

/** Rows of one statement: SQLite takes some 32,000 values. */
const ROWS = 500;

/**
 * Inserts rows without the ORM, which costs more than the statement. Each bound value costs, too: a
 * column that is null in all rows is left out, so it must have no default but null, and on SQLite a
 * value that all rows share is bound once.
 * @param rows values by column. All have the same columns in the same order, for values are taken by
 * their place; the first column is the row's own, its id, and never null.
 */
export async function insertRows(
  manager: EntityManager,
  table: string,
  rows: Record<string, unknown>[],
): Promise<void> {
  const { type } = manager.dataSource.options;
  for (const piece of piecesOf(rows, ROWS)) {
    const names = Object.keys(piece[0] ?? {});
    const lists = piece.map((row) => Object.values(row));
    const [first = []] = lists;
    const isAlike = first.map((value, at) => lists.every((list) => list[at] === value));
    const given = [...names.keys()].filter((at) => !isAlike[at] || first[at] !== null);
    // A list of rows to select from is written differently for MySQL and for MariaDB.
    const canShare = type !== 'mysql' && piece.length > 1;
    const isOnce = (at: number): boolean => canShare && at > 0 && isAlike[at] === true;
    const once = given.filter(isOnce);
    const each = given.filter((at) => !isOnce(at));
    const places = `(${marks(each.length)})`;
    const values = `VALUES ${piece.map(() => places).join(', ')}`;
    const source = once.length > 0 ? `SELECT ${marks(once.length)}, * FROM (${values})` : values;
    const columns = [...once, ...each].map((at) => names[at]).join(', ');
    await manager.query(`INSERT INTO ${table} (${columns}) ${source}`, [
      ...once.map((at) => first[at]),
      ...lists.flatMap((list) => each.map((at) => list[at])),
    ]);
  }
}
