import { DataSource, type Migration } from 'typeorm';
import { keepFilesPrivate } from './common/file-modes.js';
import { ConfigError } from './config/app-config.js';
import { loadConfig } from './config/load-config.js';
import { dataSourceOptions } from './database/data-source-options.js';
import { refuseUnusableFile } from './database/open-data-source.js';
import { startError } from './database/start-problem.js';

/** TypeORM's command line shows a stack for everything; what a person can change is one line. */
class CommandDataSource extends DataSource {
  override initialize(): Promise<this> {
    return this.orEnd(() => {
      refuseUnusableFile(this.options);
      return super.initialize();
    });
  }

  override runMigrations(how?: { transaction?: 'all' | 'none' | 'each' }): Promise<Migration[]> {
    return this.orEnd(() => super.runMigrations(how));
  }

  private async orEnd<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      return endWith(await startError(error, this.options));
    }
  }
}

function options(): ConstructorParameters<typeof DataSource>[0] {
  try {
    const found = dataSourceOptions(loadConfig());
    // A command has nothing to do while it waits for a SQLite file that a hub is writing to.
    return found.type === 'better-sqlite3' ? { ...found, timeout: 10_000 } : found;
  } catch (error) {
    return endWith(error);
  }
}

function endWith(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

keepFilesPrivate();

/** For TypeORM's command line: `npm run migration:run`, `npm run migration:revert`. */
export default new CommandDataSource({ ...options(), logger: 'advanced-console' });
