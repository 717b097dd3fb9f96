import { statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { fileErrorCode } from '../common/file-problem.js';
import { ConfigError, parseConfig, type AppConfig, type SettingSource } from './app-config.js';
import { readTextFile, TextFileError } from './text-file.js';
import { readValueFiles } from './value-files.js';
import { PROXY_NAMES } from './variables.js';
import { remark } from '../common/remarks.js';

const ENV_FILE = '.env';
/** Bits of a file's mode that let others than its owner read it. */
const READABLE_BY_OTHERS = 0o044;

/**
 * Reads `.env` of the working directory, if there is one, under the environment, which wins, and
 * the files that `…_FILE` names.
 * The only place that reads `process.env`; the secrets of the files stay out of it.
 * @throws {ConfigError} when the process can't start with what is set.
 */
export function loadConfig(): AppConfig {
  const text = readEnvFile();
  const file = text === undefined ? {} : parseEnv(text);
  const given = { ...inCapitals(file), ...inCapitals(process.env) };
  const { env, unreadable } = readValueFiles(given);
  const sources = sourcesOf(env, given, file);
  return parseConfig(env, { unreadable, warnings: text ? modeWarnings() : [], sources });
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

/** Undefined where there is none. */
function readEnvFile(): string | undefined {
  try {
    statSync(ENV_FILE);
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return undefined;
  }
  try {
    return readTextFile(ENV_FILE);
  } catch (error) {
    if (error instanceof TextFileError) throw new ConfigError([`  ${error.message}`]);
    throw error;
  }
}

function modeWarnings(): string[] {
  // Elsewhere modes say nothing.
  if (process.platform === 'win32') return [];
  const mode = statSync(ENV_FILE).mode;
  return mode & READABLE_BY_OTHERS ? [remark('setting_file_mode', { file: ENV_FILE })] : [];
}
