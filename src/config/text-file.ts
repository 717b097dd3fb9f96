import { closeSync, openSync, readSync } from 'node:fs';
import { fileProblem } from '../common/file-problem.js';

/** Largest file of settings that is read, in bytes. */
const LIMIT = 64 * 1024;

/** A file of settings cannot be used; the message is one line that begins with its path. */
export class TextFileError extends Error {}

/**
 * The text of a file, by its byte order mark, else as UTF-8.
 * @throws {TextFileError} when it cannot be read, is too long, or is no text.
 */
export function readTextFile(path: string): string {
  const bytes = readBytes(path);
  if (bytes.length > LIMIT) {
    throw new TextFileError(`${path} cannot be read: it has more than ${LIMIT} bytes`);
  }
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch {
    throw new TextFileError(`${path} cannot be read: it is not UTF-8 text`);
  }
}

function readBytes(path: string): Buffer {
  try {
    const file = openSync(path, 'r');
    try {
      return readUpToLimit(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new TextFileError(fileProblem(path, 'read', error));
  }
}

/** One byte more than the limit at most: what is named may be a device that never ends. */
function readUpToLimit(file: number): Buffer {
  const bytes = Buffer.alloc(LIMIT + 1);
  let length = 0;
  for (;;) {
    const read = readSync(file, bytes, length, bytes.length - length, null);
    length += read;
    if (read === 0 || length === bytes.length) return bytes.subarray(0, length);
  }
}

/** Editors and shells of Windows write UTF-16, always with its mark. */
function encodingOf(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return 'utf-8';
}
