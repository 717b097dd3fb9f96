import { NestFactory } from '@nestjs/core';
import { Module, type DynamicModule } from '@nestjs/common';
import { CommonModule } from './common/common.module.js';
import { HubLogger } from './common/hub-logger.js';
import { ConfigError, type AppConfig } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { loadConfig } from './config/load-config.js';
import { DatabaseModule } from './database/database.module.js';
import { SecretRotation } from './secrets/secret-rotation.js';
import { SecretsModule } from './secrets/secrets.module.js';

/** Only what `npm run secrets:rotate` needs: it runs beside the hubs and serves nothing. */
@Module({})
class RotationModule {
  static register(config: AppConfig): DynamicModule {
    return {
      module: RotationModule,
      imports: [CommonModule, ConfigModule.register(config), DatabaseModule, SecretsModule],
      providers: [SecretRotation],
    };
  }
}

try {
  const config = loadConfig();
  const app = await NestFactory.createApplicationContext(RotationModule.register(config), {
    abortOnError: false,
    logger: new HubLogger(config.logLevel),
  });
  try {
    await app.get(SecretRotation).run();
  } finally {
    await app.close();
  }
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else new HubLogger('error').error('The rotation did not finish; it can be run again', error);
  process.exitCode = 1;
}
