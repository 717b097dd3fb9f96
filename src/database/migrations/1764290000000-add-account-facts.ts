import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { nullable } from './table-columns.js';

const COLUMNS = ['service_type', 'account_status', 'register_type'];

/**
 * What WeChat says of the kind and state of an account, filled when its information is next fetched.
 */
export class AddAccountFacts1764290000000 implements MigrationInterface {
  readonly name = 'AddAccountFacts1764290000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = COLUMNS.map((name) => new TableColumn({ name, type: 'integer', ...nullable }));
    await queryRunner.addColumns('authorizer', columns);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropColumns('authorizer', COLUMNS);
  }
}
