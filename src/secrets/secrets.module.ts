import { Global, Module } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { resolveMasterKeys } from './master-keys.js';
import { SecretBox } from './secret-box.js';

/** Encryption of everything secret that the database holds. */
@Global()
@Module({
  providers: [
    {
      provide: SecretBox,
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => new SecretBox(resolveMasterKeys(config)),
    },
  ],
  exports: [SecretBox],
})
export class SecretsModule {}
