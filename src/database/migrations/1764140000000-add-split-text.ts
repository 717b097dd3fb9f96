import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';

/** Subscriptions say whether texts that are too long are split; those that are there do. */
export class AddSplitText1764140000000 implements MigrationInterface {
  readonly name = 'AddSplitText1764140000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const column = { name: 'split_text', type: 'boolean', default: 1 };
    await queryRunner.addColumn('subscription', new TableColumn(column));
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropColumn('subscription', 'split_text');
  }
}
