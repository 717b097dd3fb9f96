import type { Database } from '../database/database.js';
import { encryptedColumns } from './encrypted-columns.js';
import { SEALED_PREFIX } from './secret-box.js';

/** Enough of a value to hold the id of its key. */
const BEGINNING = 64;

/** Id of a master key under which the database holds a value; undefined where nothing is encrypted. */
export async function findKeyInUse(database: Database): Promise<string | undefined> {
  for (const { table, column } of Object.values(encryptedColumns)) {
    const [row] = await database.read((manager) =>
      manager.query(
        `SELECT SUBSTR(${column}, 1, ${BEGINNING}) AS beginning FROM ${table}
         WHERE SUBSTR(${column}, 1, ${SEALED_PREFIX.length}) = ? LIMIT 1`,
        [SEALED_PREFIX],
      ),
    );
    if (row) return String(row.beginning).slice(SEALED_PREFIX.length).split(':')[0];
  }
  return undefined;
}
