import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, primary, varchar } from './table-columns.js';

/** The release checks that were played here. */
export class CreateReleaseCheckRuns1764280000000 implements MigrationInterface {
  readonly name = 'CreateReleaseCheckRuns1764280000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const { type } = queryRunner.connection.options;
    const longText = type === 'better-sqlite3' ? 'text' : 'mediumtext';
    const table = new Table({
      name: 'release_check_run',
      columns: [
        varchar('id', 36, primary),
        varchar('component_appid', 64),
        bigint('at'),
        { name: 'result', type: longText },
      ],
      indices: [{ name: 'release_check_run_component', columnNames: ['component_appid', 'id'] }],
    });
    await queryRunner.createTable(table, true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('release_check_run', true);
  }
}
