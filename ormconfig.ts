import { DataSource, type DataSourceOptions } from 'typeorm';
import { loadConfig } from './src/config/load-config.js';
import { dataSourceOptions } from './src/database/data-source-options.js';

const options = dataSourceOptions(loadConfig());
// A command has nothing to do while it waits for a SQLite file that a hub is writing to.
const waiting = options.type === 'better-sqlite3' ? { timeout: 10_000 } : {};

/** For TypeORM's command line: `npm run migration:run`, `npm run migration:revert`. */
export default new DataSource({
  ...options,
  ...waiting,
  logger: 'advanced-console',
} as DataSourceOptions);
