import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/** The authorizations that came last are found by an index. */
export class IndexAuthorizationCodes1764285000000 implements MigrationInterface {
  readonly name = 'IndexAuthorizationCodes1764285000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createIndex('authorization_code', receivedIndex());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndex('authorization_code', receivedIndex());
  }
}

function receivedIndex(): TableIndex {
  return new TableIndex({
    name: 'authorization_code_received',
    columnNames: ['received_at', 'code_hash'],
  });
}
