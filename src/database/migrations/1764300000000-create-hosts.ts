import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, nullable, primary, varchar } from './table-columns.js';

/** Which processes share the database. */
export class CreateHosts1764300000000 implements MigrationInterface {
  readonly name = 'CreateHosts1764300000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = [
      varchar('id', 36, primary),
      varchar('name', 191),
      { name: 'pid', type: 'integer' },
      varchar('version', 64, nullable),
      bigint('started_at'),
      bigint('last_seen_at'),
    ];
    await queryRunner.createTable(new Table({ name: 'host', columns }), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('host', true);
  }
}
