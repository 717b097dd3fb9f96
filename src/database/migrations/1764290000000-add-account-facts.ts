import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { nullable } from './table-columns.js';

const COLUMNS = ['service_type', 'account_status', 'register_type'];

/**
 * What WeChat says of the kind and state of an account, filled when its information is next
 * fetched; the codes in the order in which they came.
 */
export class AddAccountFacts1764290000000 implements MigrationInterface {
  readonly name = 'AddAccountFacts1764290000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = COLUMNS.map((name) => new TableColumn({ name, type: 'integer', ...nullable }));
    await queryRunner.addColumns('authorizer', columns);
    await queryRunner.createIndex('authorization_code', receivedIndex());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndex('authorization_code', receivedIndex());
    await queryRunner.dropColumns('authorizer', COLUMNS);
  }
}

function receivedIndex(): TableIndex {
  const columnNames = ['received_at', 'code_hash'];
  return new TableIndex({ name: 'authorization_code_received', columnNames });
}
