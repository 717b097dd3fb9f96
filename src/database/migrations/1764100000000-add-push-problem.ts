import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { nullable, varchar } from './table-columns.js';

/** Why the text of a push could not be read whole: pushes are recorded all the same. */
export class AddPushProblem1764100000000 implements MigrationInterface {
  readonly name = 'AddPushProblem1764100000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const column = new TableColumn(varchar('problem', 191, nullable));
    await queryRunner.addColumn('callback_event', column);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropColumn('callback_event', 'problem');
  }
}
