import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Accounts whose refresh fails are found without reading the others; deliveries of a status are
 * found platform by platform, so that a delivery has one index less to be moved in.
 */
export class IndexWhatIsRare1764310000000 implements MigrationInterface {
  readonly name = 'IndexWhatIsRare1764310000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createIndex('authorizer', failingIndex());
    await queryRunner.dropIndex('delivery', statusIndex());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createIndex('delivery', statusIndex());
    await queryRunner.dropIndex('authorizer', failingIndex());
  }
}

function failingIndex(): TableIndex {
  return new TableIndex({
    name: 'authorizer_failing',
    columnNames: ['attempts', 'component_appid', 'authorizer_appid'],
  });
}

function statusIndex(): TableIndex {
  return new TableIndex({ name: 'delivery_status', columnNames: ['status', 'id'] });
}
