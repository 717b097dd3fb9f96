import { statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { isForOthers, modeOf } from '../common/file-modes.js';
import { fileErrorCode } from '../common/file-problem.js';
import {
  readConfig,
  usable,
  type AppConfig,
  type ReadConfig,
  type SettingSource,
} from './app-config.js';
import { readTextFile, TextFileError } from './text-file.js';
import { readValueFiles } from './value-files.js';
import { PROXY_NAMES } from './variables.js';
import { remark } from '../common/remarks.js';

const ENV_FILE = '.env';

/**
 * The configuration of this process, see {@link inspectConfig}.
 * @throws {ConfigError} when the process can't start with what is set.
 */
export function loadConfig(): AppConfig {
  return usable(inspectConfig());
}

/**
 * Reads `.env` of the working directory, if there is one, under the environment, which wins, and
 * the files that `…_FILE` names.
 * The only place that reads `process.env`; the secrets of the files stay out of it.
 */
export function inspectConfig(): ReadConfig {
  const { text, problem } = readEnvFile();
  const file = text === undefined ? {} : parseEnv(text);
  const given = { ...inCapitals(file), ...inCapitals(process.env) };
  const { env, unreadable, files } = readValueFiles(given);
  const sources = sourcesOf(env, given, file);
  const warnings = text ? modeWarnings() : [];
  const all = text === undefined ? files : [{ path: ENV_FILE, name: '' }, ...files];
  const read = readConfig(env, { unreadable, warnings, sources, files: all });
  return problem === undefined ? read : { ...read, problems: [{ line: problem }] };
}

/** Where each value comes from. */
function sourcesOf(
  env: Environment,
  given: Environment,
  file: Environment,
): Map<string, SettingSource> {
  const own = inCapitals(process.env);
  return new Map(
    Object.keys(env).map((name) => {
      if (env[name] !== given[name]) return [name, 'file'];
      return [name, own[name] === undefined && file[name] !== undefined ? '.env' : 'environment'];
    }),
  );
}

type Environment = Record<string, string | undefined>;

/** What is set of the proxies in small letters, under the names of the table. */
function inCapitals(env: Environment): Environment {
  const named = PROXY_NAMES.map((name) => [name, env[name.toLowerCase()] || env[name]]);
  return { ...env, ...Object.fromEntries(named.filter(([, value]) => value !== undefined)) };
}

/** Nothing where there is none. */
function readEnvFile(): { text?: string; problem?: string } {
  try {
    statSync(ENV_FILE);
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return {};
  }
  try {
    return { text: readTextFile(ENV_FILE) };
  } catch (error) {
    if (error instanceof TextFileError) return { problem: `  ${error.message}` };
    throw error;
  }
}

function modeWarnings(): string[] {
  return isForOthers(modeOf(ENV_FILE)) ? [remark('setting_file_mode', { file: ENV_FILE })] : [];
}
