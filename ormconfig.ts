import { DataSource } from 'typeorm';
import { loadConfig } from './src/config/load-config.js';
import { dataSourceOptions } from './src/database/data-source-options.js';

/** For TypeORM's command line: `npm run migration:run`, `npm run migration:revert`. */
export default new DataSource({
  ...dataSourceOptions(loadConfig()),
  logger: 'advanced-console',
});
