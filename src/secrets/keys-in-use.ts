import { setImmediate as afterOthers } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import { encryptedColumns, type EncryptedColumn } from './encrypted-columns.js';
import { SEALED_PREFIX } from './secret-box.js';

/** Rows of SQLite that one statement looks at: while it runs nothing else does. */
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

const START = SEALED_PREFIX.length + 1;
/** The id of the key of `v`, the beginning of a value; the empty text for one without a mark. */
const HEAD =
  `CASE WHEN SUBSTR(v, 1, ${START - 1}) = '${SEALED_PREFIX}' ` +
  `THEN SUBSTR(v, ${START}, INSTR(SUBSTR(v, ${START}, 40), ':') - 1) ELSE '' END`;

/** Lists, as `head`, the ids of the keys under which values of a column are; '' for any without a mark. */
export function headsSql({ table, column }: Pick<EncryptedColumn, 'table' | 'column'>): string {
  return `SELECT DISTINCT ${HEAD} AS head FROM
    (SELECT SUBSTR(${column}, 1, 64) AS v FROM ${table} WHERE ${column} IS NOT NULL) AS r`;
}

/** What a look through the encrypted columns found. */
export interface KeysInUse {
  columns: ColumnKeys[];
  /** Columns that the time was too short for, or for the whole of. */
  unfinished: string[];
}

/**
 * Under which master keys values are, in every row of every encrypted column. Only what is before
 * the ciphertext is read out; a value without a mark gives nothing of itself.
 * @param limitMs for all of it, in milliseconds: pushes can be millions.
 */
export async function keysInUse(database: Database, limitMs: number): Promise<KeysInUse> {
  const until = performance.now() + limitMs;
  const found: KeysInUse = { columns: [], unfinished: [] };
  for (const { table, column } of Object.values(encryptedColumns)) {
    const { heads, whole } = await headsOf(database, { table, column, until });
    const name = `${table}.${column}`;
    if (!whole) found.unfinished.push(name);
    if (heads.size === 0) continue;
    const keyIds = [...heads].filter((head) => head !== '');
    found.columns.push({ column: name, keyIds, plain: heads.has('') });
  }
  return found;
}

interface Look {
  table: string;
  column: string;
  /** By `performance.now()`. */
  until: number;
}

/** Ids of keys, and the empty text for a value without a mark. */
async function headsOf(
  database: Database,
  look: Look,
): Promise<{ heads: Set<string>; whole: boolean }> {
  return database.dialect === 'mysql'
    ? headsInMysql(database, look)
    : headsInSqlite(database, look);
}

async function headsInMysql(
  database: Database,
  { table, column, until }: Look,
): Promise<{ heads: Set<string>; whole: boolean }> {
  const left = Math.floor(until - performance.now());
  if (left <= 0) return { heads: new Set(), whole: false };
  try {
    const rows: { head: string }[] = await database.read(
      (manager) => manager.query(headsSql({ table, column })),
      left,
    );
    return { heads: new Set(rows.map(({ head }) => head)), whole: true };
  } catch (error) {
    if (performance.now() < until - 1) throw error;
    return { heads: new Set(), whole: false };
  }
}

async function headsInSqlite(
  database: Database,
  { table, column, until }: Look,
): Promise<{ heads: Set<string>; whole: boolean }> {
  const heads = new Set<string>();
  let after = Number.MIN_SAFE_INTEGER;
  while (performance.now() < until) {
    const rows: { head: string | null; last: number }[] = await database.read((manager) =>
      manager.query(
        `SELECT CASE WHEN v IS NULL THEN NULL ELSE ${HEAD} END AS head, MAX(id) AS last
         FROM (SELECT rowid AS id, ${column} AS v FROM ${table} WHERE rowid > ?
               ORDER BY rowid LIMIT ${ROWS}) AS r GROUP BY 1`,
        [after],
      ),
    );
    if (rows.length === 0) return { heads, whole: true };
    for (const { head } of rows) if (head !== null) heads.add(head);
    after = Math.max(...rows.map(({ last }) => last));
    await afterOthers();
  }
  return { heads, whole: false };
}
