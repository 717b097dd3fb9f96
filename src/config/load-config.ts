import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { parseConfig, type AppConfig } from './app-config.js';

/**
 * Reads `.env` of the working directory, if there is one, under the environment, which wins.
 * The only place that reads `process.env`; the secrets of the file stay out of it.
 * @throws {ConfigError} when the process can't start with what is set.
 */
export function loadConfig(): AppConfig {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return parseConfig({ ...file, ...process.env });
}
