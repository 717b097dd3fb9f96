import { Global, Module } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { findKeyInUse } from './key-in-use.js';
import { resolveMasterKeys } from './master-keys.js';
import { SecretBox } from './secret-box.js';

/** Encryption of everything secret that the database holds. */
@Global()
@Module({
  providers: [
    {
      provide: SecretBox,
      inject: [APP_CONFIG, Database],
      useFactory: async (config: AppConfig, database: Database) =>
        new SecretBox(await resolveMasterKeys(config, () => findKeyInUse(database))),
    },
  ],
  exports: [SecretBox],
})
export class SecretsModule {}
