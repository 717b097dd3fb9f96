import type { Database } from '../database/database.js';
import { encryptedColumns, type EncryptedColumn } from './encrypted-columns.js';
import { SEALED_PREFIX } from './secret-box.js';

/** Rows at either end of a table that are looked at: pushes can be millions. */
const ROWS = 300;

/** Under what the values of a column were found. */
export interface ColumnKeys {
  /** `table.column`. */
  column: string;
  /** Ids of master keys. */
  keyIds: string[];
  /** Whether there are values that are not encrypted. */
  plain: boolean;
}

/** Lists the ids of the master keys under which values of a column are, as `id`; takes {@link SEALED_PREFIX}. */
export function keyIdsSql({ table, column }: EncryptedColumn): string {
  const start = SEALED_PREFIX.length + 1;
  return `SELECT DISTINCT SUBSTR(${column}, ${start}, INSTR(SUBSTR(${column}, ${start}), ':') - 1)
    AS id FROM ${table} WHERE SUBSTR(${column}, 1, ${start - 1}) = ?`;
}

/** Under which master keys values are, by the first and last rows of every encrypted column. */
export async function keysInUse(database: Database): Promise<ColumnKeys[]> {
  const found: ColumnKeys[] = [];
  const start = SEALED_PREFIX.length + 1;
  for (const { table, column, identity } of Object.values(encryptedColumns)) {
    const keyIds = new Set<string>();
    let plain = false;
    for (const order of ['ASC', 'DESC']) {
      const sorted = identity.map((name) => `${name} ${order}`).join(', ');
      // Only what is before the ciphertext; a value without a mark gives nothing of itself.
      const rows: { head: string }[] = await database.read((manager) =>
        manager.query(
          `SELECT DISTINCT CASE WHEN SUBSTR(v, 1, ${start - 1}) = ?
             THEN SUBSTR(v, ${start}, INSTR(SUBSTR(v, ${start}), ':') - 1) ELSE '' END AS head
           FROM (SELECT ${column} AS v FROM ${table} ORDER BY ${sorted} LIMIT ${ROWS}) AS r
           WHERE v IS NOT NULL`,
          [SEALED_PREFIX],
        ),
      );
      for (const { head } of rows) {
        if (head === '') plain = true;
        else keyIds.add(head);
      }
    }
    if (plain || keyIds.size > 0) {
      found.push({ column: `${table}.${column}`, keyIds: [...keyIds], plain });
    }
  }
  return found;
}
