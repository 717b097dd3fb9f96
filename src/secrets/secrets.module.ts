import { Global, Module } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { encryptedColumns } from './encrypted-columns.js';
import { resolveMasterKeys } from './master-keys.js';
import { SEALED_PREFIX, SecretBox } from './secret-box.js';

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
