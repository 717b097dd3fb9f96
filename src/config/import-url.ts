import { CommandError } from '../common/command-error.js';
import { Secret } from '../common/secret.js';
import { trimInvisible } from './invisible-characters.js';
import { readTextFile, TextFileError } from './text-file.js';

/**
 * The URL of the database that accounts are moved in from: `IMPORT_DATABASE_URL`, or the content of
 * the file that `IMPORT_DATABASE_URL_FILE` names. It is no setting of a hub, and no argument, which
 * others on the machine could see.
 * @throws {CommandError}
 */
export function importUrl(): Secret {
  const { IMPORT_DATABASE_URL: given, IMPORT_DATABASE_URL_FILE: file } = process.env;
  try {
    const text = trimInvisible(given || (file ? readTextFile(file) : ''), 'any');
    if (text.startsWith('mysql://')) return new Secret(text);
  } catch (error) {
    if (!(error instanceof TextFileError)) throw error;
    throw new CommandError(`IMPORT_DATABASE_URL_FILE: ${error.message}`);
  }
  throw new CommandError(
    'IMPORT_DATABASE_URL, or the file that IMPORT_DATABASE_URL_FILE names, must be ' +
      'mysql://user:password@host:3306/database',
  );
}
