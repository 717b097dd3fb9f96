import { Batcher, type BatchTimes } from '../common/batcher.js';
import { DatabaseUnavailableError } from './database-error.js';

/** Most items that one transaction takes. */
const MAX_BATCH = 200;

/**
 * Group commit for rows: what comes at once shares a transaction. While the database is not
 * available all of a batch fail; any other failure is that of the one item that causes it.
 */
export function writeBatcher<T, R>(
  write: (items: T[]) => Promise<R[]>,
  times: BatchTimes,
): Batcher<T, R> {
  return new Batcher(write, MAX_BATCH, (error) => error instanceof DatabaseUnavailableError, times);
}
