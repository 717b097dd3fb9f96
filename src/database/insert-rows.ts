import type { EntityManager } from 'typeorm';
import { marks, piecesOf } from './sql.js';

/** Rows of one statement: SQLite takes some 32,000 values. */
const ROWS = 500;

/**
 * Inserts rows without the ORM, which costs more than the statement.
 * @param rows values by column, the same columns in each. A column that is null in all of them is
 * left out, for each value costs; so it must have no default but null.
 */
export async function insertRows(
  manager: EntityManager,
  table: string,
  rows: Record<string, unknown>[],
): Promise<void> {
  for (const piece of piecesOf(rows, ROWS)) {
    const names = Object.keys(piece[0] ?? {}).filter((name) =>
      piece.some((row) => row[name] !== null),
    );
    const places = `(${marks(names.length)})`;
    await manager.query(
      `INSERT INTO ${table} (${names.join(', ')}) VALUES ` + piece.map(() => places).join(', '),
      piece.flatMap((row) => names.map((name) => row[name])),
    );
  }
}
