import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * On SQLite a delivery leaves the index of what is due when it ends, and stands in that of orders only
 * where it has one: most of an index of all would be deliveries that nobody looks for there. MySQL has
 * no index of some rows.
 */
export class IndexWhatIsLookedFor1764330000000 implements MigrationInterface {
  readonly name = 'IndexWhatIsLookedFor1764330000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await makeAgain(queryRunner, DUE, 'WHERE next_attempt_at IS NOT NULL');
    await makeAgain(queryRunner, ORDER, 'WHERE order_key IS NOT NULL');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await makeAgain(queryRunner, DUE, '');
    await makeAgain(queryRunner, ORDER, '');
  }
}

const DUE = { name: 'delivery_due', columns: 'subscription_id, status, next_attempt_at' };
const ORDER = { name: 'delivery_order', columns: 'order_key, status, id' };

async function makeAgain(
  queryRunner: QueryRunner,
  { name, columns }: { name: string; columns: string },
  where: string,
): Promise<void> {
  if (queryRunner.dataSource.options.type === 'mysql') return;
  await queryRunner.query(`DROP INDEX IF EXISTS ${name}`);
  await queryRunner.query(`CREATE INDEX ${name} ON delivery (${columns}) ${where}`);
}
