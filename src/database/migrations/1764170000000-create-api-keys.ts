import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, nullable, primary, text, varchar } from './table-columns.js';

/** Keys of services and people, as hashes, and what they are limited to. */
export class CreateApiKeys1764170000000 implements MigrationInterface {
  readonly name = 'CreateApiKeys1764170000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(apiKeyTable(), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(apiKeyTable(), true);
  }
}

function apiKeyTable(): Table {
  return new Table({
    name: 'api_key',
    columns: [
      varchar('id', 36, primary),
      varchar('name', 64),
      varchar('hash', 64),
      varchar('previous_hash', 64, nullable),
      bigint('previous_until', nullable),
      text('scopes'),
      text('component_appids', nullable),
      text('authorizer_appids', nullable),
      text('networks', nullable),
      { name: 'requests_per_minute', type: 'integer', isNullable: true },
      bigint('expires_at', nullable),
      bigint('revoked_at', nullable),
      bigint('last_used_at', nullable),
      bigint('created_at'),
      bigint('updated_at'),
    ],
  });
}
