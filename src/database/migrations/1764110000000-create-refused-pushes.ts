import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, nullable, primary, varchar } from './table-columns.js';

/** Counts of the pushes that were refused. */
export class CreateRefusedPushes1764110000000 implements MigrationInterface {
  readonly name = 'CreateRefusedPushes1764110000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(refusedPushTable(), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(refusedPushTable(), true);
  }
}

function refusedPushTable(): Table {
  return new Table({
    name: 'refused_push',
    columns: [
      varchar('id', 36, primary),
      varchar('url', 16),
      varchar('component_appid', 64, nullable),
      varchar('code', 64),
      varchar('source_address', 64),
      bigint('count'),
      bigint('first_at'),
      bigint('last_at'),
    ],
    indices: [
      { name: 'refused_push_component', columnNames: ['component_appid', 'id'] },
      { name: 'refused_push_first_at', columnNames: ['first_at'] },
    ],
  });
}
