import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, primary, varchar } from './table-columns.js';

/** Hourly counts of calls, pushes, deliveries and refreshes. */
export class CreateStatistics1764180000000 implements MigrationInterface {
  readonly name = 'CreateStatistics1764180000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(statisticTable(), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(statisticTable(), true);
  }
}

function statisticTable(): Table {
  return new Table({
    name: 'statistic',
    columns: [
      varchar('id', 36, primary),
      bigint('hour'),
      varchar('kind', 16),
      varchar('actor', 64),
      varchar('component_appid', 64),
      varchar('authorizer_appid', 64),
      varchar('path', 128),
      varchar('outcome', 64),
      bigint('count'),
    ],
    indices: [
      {
        name: 'statistic_counted',
        columnNames: [
          'hour',
          'kind',
          'component_appid',
          'authorizer_appid',
          'actor',
          'path',
          'outcome',
        ],
        isUnique: true,
      },
    ],
  });
}
