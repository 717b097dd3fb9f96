import { NestFactory } from '@nestjs/core';
import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { databaseName, refuseNewDatabase, runCommand } from './command.js';
import { CommonModule } from './common/common.module.js';
import { HubLogger } from './common/hub-logger.js';
import type { AppConfig } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { SecretRotation, type RotatedColumn } from './secrets/secret-rotation.js';
import { SecretsModule } from './secrets/secrets.module.js';

/** Only what `npm run secrets:rotate` needs: it runs beside the hubs and serves nothing. */
@Module({})
class RotationModule {
  static register(config: AppConfig): DynamicModule {
    return {
      module: RotationModule,
      imports: [
        CommonModule,
        ConfigModule.register(config),
        DatabaseModule.register(),
        SecretsModule.register(),
      ],
      providers: [SecretRotation],
    };
  }
}

function report(columns: RotatedColumn[], database: string): void {
  const logger = new Logger('SecretRotation');
  const rewritten = columns.reduce((sum, column) => sum + column.rewritten, 0);
  const unreadable = columns.reduce((sum, column) => sum + column.unreadable, 0);
  if (unreadable === 0) {
    const message = 'Every stored secret is under the first master key';
    logger.log(message, { rewritten, database });
    return;
  }
  const message = 'Some stored secrets cannot be read with MASTER_KEYS and stay as they are';
  logger.error(message, { unreadable, rewritten, database });
  process.exitCode = 1;
}

await runCommand('The rotation did not finish; it can be run again', async (config) => {
  refuseNewDatabase(config);
  const app = await NestFactory.createApplicationContext(RotationModule.register(config), {
    abortOnError: false,
    logger: new HubLogger(config.logLevel),
  });
  try {
    report(await app.get(SecretRotation).run(), databaseName(config));
  } finally {
    await app.close();
  }
});
