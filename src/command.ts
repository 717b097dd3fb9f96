import { Logger } from '@nestjs/common';
import { CommandError } from './common/command-error.js';
import { keepFilesPrivate } from './common/file-modes.js';
import { HubLogger } from './common/hub-logger.js';
import { printable } from './common/printable.js';
import { ConfigError, type AppConfig } from './config/app-config.js';
import { loadConfig } from './config/load-config.js';
import { refuseMissingFile } from './database/open-data-source.js';

/**
 * Runs a command beside the hub with the hub's settings, and sets the exit code: what a person can
 * change is said on stderr and ends it with 1.
 * @param failure what is logged where the error is nothing that a person can change.
 */
export async function runCommand(
  failure: string,
  work: (config: AppConfig) => Promise<void> | void,
): Promise<void> {
  keepFilesPrivate();
  try {
    const config = loadConfig();
    Logger.overrideLogger(new HubLogger(config.logLevel));
    await work(config);
  } catch (error) {
    if (error instanceof ConfigError || error instanceof CommandError) {
      process.stderr.write(`${error.message.split('\n').map(printable).join('\n')}\n`);
    } else new HubLogger('error').error(failure, error);
    process.exitCode = 1;
  }
}

/** A command on a database that is not the hub's would end well and help nobody. @throws {ConfigError} */
export function refuseNewDatabase({ database }: Pick<AppConfig, 'database'>): void {
  if (database.type === 'sqlite') refuseMissingFile(database.path);
}

/** The database without its user and password. */
export function databaseName({ database }: Pick<AppConfig, 'database'>): string {
  if (database.type === 'sqlite') return database.path;
  const { host, pathname } = new URL(database.url.reveal());
  return host + pathname;
}
