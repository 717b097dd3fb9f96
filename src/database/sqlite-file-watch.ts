import { statSync } from 'node:fs';
import { Logger } from '@nestjs/common';

/** Longest time between two looks while writes go on, in milliseconds. */
const LOOK_MS = 1000;

/**
 * Sees that the file that is open is still the one under its name. SQLite goes on with a file that
 * was removed or replaced, without an error: all that is written to it is lost with the process.
 */
export class SqliteFileWatch {
  private readonly opened: string | undefined;
  private lookedAt = performance.now();
  private gone = false;

  /** Made while the file is open. @param path that of the file. */
  constructor(private readonly path: string) {
    this.opened = identityOf(path);
  }

  /**
   * Looks, unless it has just done so and all was well.
   * @throws with SQLite's code for a file that has moved.
   */
  check(): void {
    if (this.opened === undefined) return;
    const now = performance.now();
    if (!this.gone && now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    const gone = identityOf(this.path) !== this.opened;
    if (gone && !this.gone) this.say();
    this.gone = gone;
    if (gone) {
      const message = 'The database file was removed or replaced';
      throw Object.assign(new Error(message), { code: 'SQLITE_READONLY_DBMOVED' });
    }
  }

  private say(): void {
    const message =
      'The database file was removed or replaced under the running hub: nothing is written any ' +
      'more. Put the right file in its place, then restart the hub';
    new Logger('Database').error(message, { path: this.path });
  }
}

/** Device and inode; undefined where there is no file that can be looked at. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
