import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { parseConfig, type AppConfig } from './app-config.js';
import { PROXY_NAMES } from './variables.js';

/**
 * Reads `.env` of the working directory, if there is one, under the environment, which wins.
 * The only place that reads `process.env`; the secrets of the file stay out of it.
 * @throws {ConfigError} when the process can't start with what is set.
 */
export function loadConfig(): AppConfig {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return parseConfig({ ...inCapitals(file), ...inCapitals(process.env) });
}

type Environment = Record<string, string | undefined>;

/** What is set of the proxies in small letters, under the names of the table. */
function inCapitals(env: Environment): Environment {
  const named = PROXY_NAMES.map((name) => [name, env[name.toLowerCase()] || env[name]]);
  return { ...env, ...Object.fromEntries(named.filter(([, value]) => value !== undefined)) };
}
