import { accessSync, constants, statSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** What was to be done with a file or folder. */
export type FileUse = 'read' | 'written' | 'opened' | 'made';

/**
 * One line about a file or folder that cannot be used, for the person who can change that: the
 * path, the obstacle, whose that is, who runs, what to do.
 * @param error what Node's `fs` said.
 */
export function fileProblem(path: string, use: FileUse, error: unknown): string {
  return `${path} cannot be ${use}: ${reason(path, use === 'made' ? causeOf(path, error) : error)}`;
}

/** The `code` of an error of Node's `fs`, such as `EACCES`; empty where it has none. */
export function fileErrorCode(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** Node says "does not exist" of folders that it cannot make one in. */
function causeOf(path: string, error: unknown): unknown {
  if (fileErrorCode(error) !== 'ENOENT') return error;
  try {
    accessSync(lowestThatExists(path), constants.W_OK);
    return error;
  } catch (cause) {
    return cause;
  }
}

function reason(path: string, error: unknown): string {
  const code = fileErrorCode(error);
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return notAllowed(path);
    case 'ENOENT':
      return 'it does not exist';
    case 'EISDIR':
      return 'it is a folder. A container engine makes one where a file to mount is missing';
    case 'ENOTDIR':
    case 'EEXIST':
      return `${lowestThatExists(path)} is not a folder`;
    case 'EROFS':
      return 'the file system is read-only. Mount it writable, or use another place';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full. Make room, or use another place';
    default:
      return code || 'for a reason that the system does not name';
  }
}

function notAllowed(path: string): string {
  const obstacle = obstacleOf(path);
  const { uid, gid, mode } = statSync(obstacle);
  const what = obstacle === resolve(path) ? 'it' : obstacle;
  const octal = (mode & 0o7777).toString(8).padStart(3, '0');
  const [runs, group] = [process.getuid?.(), process.getgid?.()];
  return (
    `${what} belongs to uid ${uid}, gid ${gid}, mode ${octal}, and the hub runs as uid ${runs}, ` +
    `gid ${group}. Give it to that user (chown ${runs}:${group} ${obstacle}), or run the hub as ` +
    `its owner`
  );
}

/** The first part of the path that this user may not pass, else the lowest one that exists. */
function obstacleOf(path: string): string {
  const parts = [resolve(path)];
  while (dirname(parts[0] ?? '') !== parts[0]) parts.unshift(dirname(parts[0] ?? ''));
  const folders = parts.slice(0, -1);
  return folders.find((folder) => exists(folder) && !isPassable(folder)) ?? lowestThatExists(path);
}

function isPassable(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function lowestThatExists(path: string): string {
  let part = resolve(path);
  while (!exists(part) && dirname(part) !== part) part = dirname(part);
  return part;
}

function exists(path: string): boolean {
  return statOf(path) !== undefined;
}

/** Undefined where there is nothing that this user can see. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
