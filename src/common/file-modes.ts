import { statSync } from 'node:fs';

/** Bits of a file's mode that give it to others than its owner. */
const FOR_OTHERS = 0o077;
/** The mode of a file that its owner alone reads and writes. */
export const OWN_FILE = 0o600;

/** What this process makes from here on, its user alone can use: database, its log, `master.key`. */
export function keepFilesPrivate(): void {
  process.umask(FOR_OTHERS);
}

/** The permissions of a file or folder; undefined where modes say nothing. @throws what `fs` says. */
export function modeOf(path: string): number | undefined {
  return process.platform === 'win32' ? undefined : statSync(path).mode & 0o777;
}

/** Whether others than its owner can use a file of this mode. */
export function isForOthers(mode = 0): boolean {
  return (mode & FOR_OTHERS) !== 0;
}
