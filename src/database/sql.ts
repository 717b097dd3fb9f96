import type { EntityManager } from 'typeorm';

/** Placeholders of a list of values. */
export function marks(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

export function idsOf(rows: { id: string }[]): string[] {
  return rows.map(({ id }) => id);
}

/** A list in pieces of a size that one statement takes. */
export function piecesOf<T>(list: T[], size: number): T[][] {
  const pieces: T[][] = [];
  for (let at = 0; at < list.length; at += size) pieces.push(list.slice(at, at + size));
  return pieces;
}

/** Lets a statement go along an index, so that statistics of the table never choose another one. */
export function alongIndex(dialect: 'sqlite' | 'mysql', index: string): string {
  return dialect === 'mysql' ? `FORCE INDEX (${index})` : `INDEXED BY ${index}`;
}

/**
 * The different texts of a column that begins an index, in order, without the empty one: one look
 * into the index for each, however many rows have it.
 */
export async function distinctAlong(
  manager: EntityManager,
  table: string,
  column: string,
): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const [row]: { value: string }[] = await manager.query(
      `SELECT ${column} AS value FROM ${table} WHERE ${column} > ? ORDER BY ${column} LIMIT 1`,
      [found.at(-1) ?? ''],
    );
    if (!row) return found;
    found.push(row.value);
  }
}

/**
 * Rows behind another one in the order of these columns. Not by comparing lists: for `(a, b) > (?, ?)`
 * MySQL reads the index from its beginning.
 * @param row undefined for all rows.
 */
export function behind(
  columns: readonly string[],
  row: Record<string, unknown> | undefined,
): { condition: string; values: unknown[] } {
  if (!row) return { condition: '1 = 1', values: [] };
  const parts = columns.map((column, index) => {
    const equal = columns.slice(0, index).map((before) => `${before} = ?`);
    return `(${[...equal, `${column} > ?`].join(' AND ')})`;
  });
  const values = columns.flatMap((_, index) =>
    columns.slice(0, index + 1).map((name) => row[name]),
  );
  return { condition: `(${parts.join(' OR ')})`, values };
}
