import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * On SQLite a delivery leaves the index of what is due when it ends, and stands in that of orders only
 * where it has one: most of an index of all would be deliveries that nobody looks for there. MySQL has
 * no index of some rows.
 */
export class IndexWhatIsLookedFor1764330000000 implements MigrationInterface {
  readonly name = 'IndexWhatIsLookedFor1764330000000';

  up(queryRunner: QueryRunner): Promise<void> {
    return replaceIndexes(queryRunner, (where) => ({ where }));
  }

  down(queryRunner: QueryRunner): Promise<void> {
    return replaceIndexes(queryRunner, () => ({}));
  }
}

async function replaceIndexes(
  queryRunner: QueryRunner,
  condition: (where: string) => { where?: string },
): Promise<void> {
  if (queryRunner.dataSource.options.type === 'mysql') return;
  for (const { where, ...index } of INDEXES) {
    await queryRunner.dropIndex('delivery', index.name);
    await queryRunner.createIndex('delivery', new TableIndex({ ...index, ...condition(where) }));
  }
}

const INDEXES = [
  {
    name: 'delivery_due',
    columnNames: ['subscription_id', 'status', 'next_attempt_at'],
    where: 'next_attempt_at IS NOT NULL',
  },
  {
    name: 'delivery_order',
    columnNames: ['order_key', 'status', 'id'],
    where: 'order_key IS NOT NULL',
  },
];
