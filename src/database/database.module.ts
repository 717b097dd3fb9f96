import { Module, type DynamicModule } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { Clock } from '../common/clock.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { dataSourceOptions } from './data-source-options.js';
import { AbsentDatabase, Database } from './database.js';
import { Host } from './host.entity.js';
import { HostStore } from './host.store.js';
import { openDataSource, openUnchanged } from './open-data-source.js';

type Open = (options?: DataSourceOptions) => Promise<DataSource>;

function typeOrm(open: Open, manualInitialization = false): DynamicModule {
  return TypeOrmModule.forRootAsync({
    inject: [APP_CONFIG],
    useFactory: (config: AppConfig) => ({
      ...dataSourceOptions(config),
      autoLoadEntities: true,
      manualInitialization,
      // openDataSource waits for the database itself, without calling that an error.
      toRetry: () => false,
    }),
    dataSourceFactory: open,
  });
}

/** One connected, migrated database for all features. */
@Module({})
export class DatabaseModule {
  static register(): DynamicModule {
    return DatabaseModule.of(typeOrm(openDataSource));
  }

  /**
   * The database as it is, for a command that looks at it: no migration is made, and one that cannot
   * be opened is a {@link Database} whose every use fails.
   * @param state has why it cannot be opened, for people, in `database`: where that is known before,
   * it is not tried.
   */
  static unchanged(state: { database: string | undefined }): DynamicModule {
    const open: Open = async (options) => {
      const { dataSource, problem } = await openUnchanged(options, state.database);
      state.database = problem;
      return dataSource;
    };
    return DatabaseModule.of(typeOrm(open, true));
  }

  private static of(connection: DynamicModule): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      imports: [connection, TypeOrmModule.forFeature([Host])],
      providers: [
        HostStore,
        {
          provide: Database,
          inject: [getDataSourceToken(), Clock],
          useFactory: (dataSource: DataSource, clock: Clock) =>
            dataSource.isInitialized
              ? new Database(dataSource, clock)
              : new AbsentDatabase(dataSource, clock),
        },
      ],
      exports: [Database, HostStore],
    };
  }
}
