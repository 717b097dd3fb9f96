import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { dataSourceOptions } from './data-source-options.js';
import { Database } from './database.js';
import { Host } from './host.entity.js';
import { HostStore } from './host.store.js';
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
        // openDataSource waits for the database itself, without calling that an error.
        toRetry: () => false,
      }),
      dataSourceFactory: openDataSource,
    }),
    TypeOrmModule.forFeature([Host]),
  ],
  providers: [Database, HostStore],
  exports: [Database, HostStore],
})
export class DatabaseModule {}
