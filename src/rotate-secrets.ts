import { NestFactory } from '@nestjs/core';
import { statSync } from 'node:fs';
import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { CommonModule } from './common/common.module.js';
import { fileProblem } from './common/file-problem.js';
import { HubLogger } from './common/hub-logger.js';
import { ConfigError, type AppConfig } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { loadConfig } from './config/load-config.js';
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

/** A rotation of a database that is not the hub's would end well and help nobody. */
function refuseNewDatabase({ database }: AppConfig): void {
  if (database.type === 'mysql') return;
  try {
    statSync(database.path);
  } catch (error) {
    throw new ConfigError([`  DATABASE_URL: ${fileProblem(database.path, 'opened', error)}`]);
  }
}

/** The database without its user and password. */
function databaseName({ database }: AppConfig): string {
  if (database.type === 'sqlite') return database.path;
  const { host, pathname } = new URL(database.url.reveal());
  return host + pathname;
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

// As in the hub: what is made here, its user alone reads.
process.umask(0o077);
try {
  const config = loadConfig();
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
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else new HubLogger('error').error('The rotation did not finish; it can be run again', error);
  process.exitCode = 1;
}
