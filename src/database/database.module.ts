import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { dataSourceOptions } from './data-source-options.js';
import { Database, isUnavailable } from './database.js';
import { openDataSource } from './open-data-source.js';

/** One connected, migrated database for all features. */
@Global()
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => ({
        ...dataSourceOptions(config),
        autoLoadEntities: true,
        // Only a database that is not there yet is worth waiting for.
        toRetry: isUnavailable,
      }),
      dataSourceFactory: openDataSource,
    }),
  ],
  providers: [Database],
  exports: [Database],
})
export class DatabaseModule {}
