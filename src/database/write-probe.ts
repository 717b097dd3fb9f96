import { randomBytes, randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { insertRows } from './insert-rows.js';
import { marks, piecesOf } from './sql.js';

/** Indexes and half-filled pages make a write larger than its values: a probe takes their part. */
const FACTOR = 4;
const LEAST_SIZE = 64 * 1024;
const MOST_SIZE = 8 * 1024 * 1024;
/** Characters of one row, less than what MySQL's `text` takes. */
const ROW_SIZE = 48 * 1024;
/** Rows of one statement: together less than the smallest packet that MySQL servers take. */
const ROWS = 10;

/** How much a probe must write to stand for a write of `size` characters. */
export function probeSize(size: number): number {
  return Math.min(Math.max(size * FACTOR, LEAST_SIZE), MOST_SIZE);
}

/** Writes `size` characters or more that no file system can make smaller. @returns the ids of their rows. */
export async function fillProbe(size: number, manager: EntityManager): Promise<string[]> {
  const rows = Array.from({ length: Math.ceil(size / ROW_SIZE) }, () => ({
    id: randomUUID(),
    payload: randomBytes((ROW_SIZE / 4) * 3).toString('base64'),
  }));
  for (const piece of piecesOf(rows, ROWS)) await insertRows(manager, 'write_probe', piece);
  return rows.map(({ id }) => id);
}

/** Removes one, while others may be at work. */
export async function removeProbe(ids: string[], manager: EntityManager): Promise<void> {
  await manager.query(`DELETE FROM write_probe WHERE id IN (${marks(ids.length)})`, ids);
}

/** Removes all of them, and what a process that was killed has left. */
export async function clearProbe(manager: EntityManager): Promise<void> {
  await manager.query('DELETE FROM write_probe');
}
