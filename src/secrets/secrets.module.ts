import { randomBytes } from 'node:crypto';
import { Module, type DynamicModule } from '@nestjs/common';
import { APP_CONFIG, ConfigError, type AppConfig } from '../config/app-config.js';
import type { MasterKey } from '../config/variables.js';
import { Database } from '../database/database.js';
import { encryptedColumns } from './encrypted-columns.js';
import { resolveMasterKeys } from './master-keys.js';
import { SEALED_PREFIX, SecretBox } from './secret-box.js';

/** Encryption of everything secret that the database holds. */
@Module({})
export class SecretsModule {
  static register(): DynamicModule {
    return SecretsModule.of((config, database) =>
      resolveMasterKeys(config, () => findKeyInUse(database)),
    );
  }

  /**
   * The keys as they are, for a command that looks at them: none is made, and without one nothing can
   * be read.
   * @param state is given why they cannot be had, for people, in `keys`.
   */
  static unchanged(state: { keys: string | undefined }): DynamicModule {
    return SecretsModule.of((config) => keysAsTheyAre(config, state));
  }

  private static of(
    keys: (config: AppConfig, database: Database) => Promise<MasterKey[]>,
  ): DynamicModule {
    return {
      module: SecretsModule,
      global: true,
      providers: [
        {
          provide: SecretBox,
          inject: [APP_CONFIG, Database],
          useFactory: async (config: AppConfig, database: Database) =>
            new SecretBox(await keys(config, database)),
        },
      ],
      exports: [SecretBox],
    };
  }
}

async function keysAsTheyAre(
  config: AppConfig,
  state: { keys: string | undefined },
): Promise<MasterKey[]> {
  try {
    return await resolveMasterKeys(config, async () => {
      throw new ConfigError(['  MASTER_KEYS: there is neither MASTER_KEYS nor a master.key']);
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    state.keys = error.message.replace(/^.*\n\s*MASTER_KEYS: /s, '');
    return [{ id: '', key: randomBytes(32) }];
  }
}

/** Enough of a value to hold the id of its key. */
const BEGINNING = 64;

/** Id of a master key under which the database holds a value; undefined where nothing is encrypted. */
async function findKeyInUse(database: Database): Promise<string | undefined> {
  for (const { table, column } of Object.values(encryptedColumns)) {
    const [row] = await database.read((manager) =>
      manager.query(
        `SELECT SUBSTR(${column}, 1, ${BEGINNING}) AS beginning FROM ${table}
         WHERE SUBSTR(${column}, 1, ${SEALED_PREFIX.length}) = ? LIMIT 1`,
        [SEALED_PREFIX],
      ),
    );
    if (row) return String(row.beginning).slice(SEALED_PREFIX.length).split(':')[0];
  }
  return undefined;
}
