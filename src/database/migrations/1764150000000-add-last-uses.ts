import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, nullable } from './table-columns.js';

const CREDENTIALS = ['app_secret', 'token', 'encoding_aes_key'];

/** When WeChat has last used each credential, and how long a target has been failing. */
export class AddLastUses1764150000000 implements MigrationInterface {
  readonly name = 'AddLastUses1764150000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.addColumns('component', componentColumns());
    await queryRunner.addColumns('subscription', subscriptionColumns());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const namesOf = (columns: TableColumn[]): string[] => columns.map(({ name }) => name);
    await queryRunner.dropColumns('subscription', namesOf(subscriptionColumns()));
    await queryRunner.dropColumns('component', namesOf(componentColumns()));
  }
}

function componentColumns(): TableColumn[] {
  return CREDENTIALS.map((name) => new TableColumn(bigint(`${name}_used_at`, nullable)));
}

function subscriptionColumns(): TableColumn[] {
  return [bigint('failed_at', nullable), bigint('failing_ms', { default: 0 })].map(
    (column) => new TableColumn(column),
  );
}
