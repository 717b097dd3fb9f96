import cluster from 'node:cluster';
import { keepFilesPrivate } from './common/file-modes.js';
import { HubLogger } from './common/hub-logger.js';
import { ConfigError } from './config/app-config.js';
import { loadConfig } from './config/load-config.js';

/**
 * Starts the hub of this process, or, with several `WORKERS`, the primary of as many; ends the
 * process when it cannot start.
 */
export async function start(): Promise<void> {
  try {
    const config = loadConfig();
    keepFilesPrivate();
    // The primary does without a hub's modules and their memory.
    if (config.workers > 1 && cluster.isPrimary) (await import('./primary.js')).lead(config);
    else await (await import('./serve.js')).serve(config);
  } catch (error) {
    if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
    else new HubLogger('error').error('The hub could not start', error);
    process.exit(1);
  }
}
