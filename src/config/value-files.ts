import { invisibleProblem, trimInvisible, withoutInvisible } from './invisible-characters.js';
import type { SettingFile } from './app-config.js';
import { readTextFile, TextFileError } from './text-file.js';
import { variables } from './variables.js';

type Environment = Record<string, string | undefined>;

/** Ending of the variable that names the file in which another one's value stands. */
const ENDING = '_FILE';

/** The settings with their values. */
export interface ReadSettings {
  env: Environment;
  /** Variables whose file cannot be used, and the line that says why. */
  unreadable: Map<string, string>;
  /** The files that were named, whether they could be read or not. */
  files: SettingFile[];
}

/**
 * Puts in the values of variables that are given by a file: `ADMIN_TOKEN_FILE` is the path of a
 * file whose content is the `ADMIN_TOKEN`. Every variable may be given so. Names that have an
 * invisible character, as behind the byte order mark of a file, are read without it.
 */
export function readValueFiles(given: Environment): ReadSettings {
  const env = withPlainNames(given);
  const unreadable = new Map<string, string>();
  const files: SettingFile[] = [];
  for (const name of Object.keys(variables)) {
    const path = trimInvisible(env[name + ENDING] ?? '', 'any');
    if (path === '') continue;
    files.push({ path, name: name + ENDING });
    try {
      if (trimInvisible(env[name] ?? '', 'any') !== '') {
        throw new TextFileError(`is set beside ${name}; leave one of them out`);
      }
      const content = contentOf(path);
      if (content === '' && !isOfPlatform(name)) throw new TextFileError(`${path} is empty`);
      env[name] = content;
    } catch (error) {
      if (!(error instanceof TextFileError)) throw error;
      unreadable.set(name, `  ${name}${ENDING}: ${error.message}`);
    }
  }
  return { env, unreadable, files };
}

/** @throws {TextFileError} */
function contentOf(path: string): string {
  const invisible = invisibleProblem(path, 'any');
  if (invisible) throw new TextFileError(`${invisible}, in the path`);
  const content = readTextFile(path);
  return trimInvisible(content, 'any') === '' ? '' : content;
}

/**
 * Files of a container are there although the first platform is to be added later. Of all others no
 * value is not what the file was made for.
 */
function isOfPlatform(name: string): boolean {
  return name.startsWith('WECHAT_COMPONENT_');
}

function withPlainNames(given: Environment): Environment {
  const env = { ...given };
  for (const [name, value] of Object.entries(given)) {
    const plain = withoutInvisible(name);
    if (plain !== name && isKnown(plain)) env[plain] ||= value;
  }
  return env;
}

function isKnown(name: string): boolean {
  const variable = name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : name;
  return Object.hasOwn(variables, variable);
}
