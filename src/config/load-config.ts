import { existsSync } from 'node:fs';
import { parseConfig, type AppConfig } from './app-config.js';

/**
 * Reads `.env` of the working directory, if there is one, under the environment, which wins.
 * The only place that reads `process.env`.
 * @throws {ConfigError} when the process can't start with what is set.
 */
export function loadConfig(): AppConfig {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return parseConfig(process.env);
}
