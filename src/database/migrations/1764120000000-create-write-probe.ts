import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { primary, text, varchar } from './table-columns.js';

/** What is written and removed to see whether a database takes as much as it has refused. */
export class CreateWriteProbe1764120000000 implements MigrationInterface {
  readonly name = 'CreateWriteProbe1764120000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = [varchar('id', 36, primary), text('payload')];
    await queryRunner.createTable(new Table({ name: 'write_probe', columns }), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('write_probe', true);
  }
}
