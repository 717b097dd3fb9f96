import { Batcher, type BatchTimes, type Culprit } from '../common/batcher.js';
import { DatabaseUnavailableError, isLockWait } from './database-error.js';

/** Most items that one transaction takes. */
const MAX_BATCH = 200;

/**
 * Group commit for rows: what comes at once shares a transaction. While the database is not
 * available all of a batch fail; any other failure is that of the one item that causes it, also that
 * somebody has its row locked.
 */
export function writeBatcher<T, R>(
  write: (items: T[]) => Promise<R[]>,
  times: BatchTimes,
): Batcher<T, R> {
  return new Batcher(write, MAX_BATCH, culpritOf, times);
}

function culpritOf(error: unknown): Culprit {
  if (isLockWait(error)) return 'waiting item';
  return error instanceof DatabaseUnavailableError ? 'all' : 'item';
}
