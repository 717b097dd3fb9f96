import { setImmediate as afterOthers } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import { behind } from '../database/sql.js';
import { encryptedColumns, type EncryptedColumn } from './encrypted-columns.js';
import { SEALED_PREFIX } from './secret-box.js';

/** Rows that one statement looks at: on SQLite nothing else runs while it does, and none is long. */
const ROWS = 500;

/** Under what the values of a column were found. */
export interface ColumnKeys {
  /** `table.column`. */
  column: string;
  /** Ids of master keys. */
  keyIds: string[];
  /** Whether there are values that are not encrypted. */
  plain: boolean;
}

/** What a look through the encrypted columns found. */
export interface KeysInUse {
  columns: ColumnKeys[];
  /** Columns that the time was too short for, or for the whole of. */
  unfinished: string[];
}

/** In SQL, the id of the key that a value is under; '' for one that is not encrypted. */
export function keyIdIn(column: string): string {
  const start = SEALED_PREFIX.length + 1;
  return (
    `CASE WHEN SUBSTR(${column}, 1, ${start - 1}) = '${SEALED_PREFIX}' ` +
    `THEN SUBSTR(${column}, ${start}, INSTR(SUBSTR(${column}, ${start}, 40), ':') - 1) ELSE '' END`
  );
}

/**
 * Under which master keys values are, in every row of every encrypted column. Only what is before
 * the ciphertext is read out; a value without a mark gives nothing of itself.
 * @param limitMs for all of it, in milliseconds: pushes can be millions.
 */
export async function keysInUse(database: Database, limitMs: number): Promise<KeysInUse> {
  const until = performance.now() + limitMs;
  const found: KeysInUse = { columns: [], unfinished: [] };
  for (const column of Object.values(encryptedColumns)) {
    const { ids, whole } = await idsOf(database, column, until);
    const name = `${column.table}.${column.column}`;
    if (!whole) found.unfinished.push(name);
    if (ids.size === 0) continue;
    const keyIds = [...ids].filter((id) => id !== '');
    found.columns.push({ column: name, keyIds, plain: ids.has('') });
  }
  return found;
}

type Row = Record<string, string>;

/** @param until by `performance.now()`. */
async function idsOf(
  database: Database,
  { table, column, identity }: EncryptedColumn,
  until: number,
): Promise<{ ids: Set<string>; whole: boolean }> {
  const key = identity.join(', ');
  const ids = new Set<string>();
  let after: Row | undefined;
  while (performance.now() < until) {
    const { condition, values } = behind(identity, after);
    const rows: Row[] = await database.read((manager) =>
      manager.query(
        `SELECT ${key}, ${keyIdIn(column)} AS found, ${column} IS NULL AS empty FROM ${table}
         WHERE ${condition} ORDER BY ${key} LIMIT ${ROWS}`,
        values,
      ),
    );
    for (const { found = '', empty } of rows) if (Number(empty) === 0) ids.add(found);
    after = rows.at(-1);
    if (rows.length < ROWS) return { ids, whole: true };
    await afterOthers();
  }
  return { ids, whole: false };
}
