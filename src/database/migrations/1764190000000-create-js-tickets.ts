import { Table, type MigrationInterface, type QueryRunner } from 'typeorm';
import { primary, tokenColumns, varchar } from './table-columns.js';

/** Tickets for pages of accounts, one for all hosts. */
export class CreateJsTickets1764190000000 implements MigrationInterface {
  readonly name = 'CreateJsTickets1764190000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(jsTicketTable(), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(jsTicketTable(), true);
  }
}

function jsTicketTable(): Table {
  return new Table({
    name: 'js_ticket',
    columns: [
      varchar('component_appid', 64, primary),
      varchar('authorizer_appid', 64, primary),
      varchar('type', 16, primary),
      ...tokenColumns(),
    ],
  });
}
