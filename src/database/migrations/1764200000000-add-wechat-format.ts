import { TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { nullable, text } from './table-columns.js';

const COLUMNS = [text('token', nullable), text('encoding_aes_key', nullable)];

/** Subscriptions in WeChat's own format have a Token and a key. */
export class AddWechatFormat1764200000000 implements MigrationInterface {
  readonly name = 'AddWechatFormat1764200000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const column of COLUMNS) {
      await queryRunner.addColumn('subscription', new TableColumn(column));
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const { name } of COLUMNS) await queryRunner.dropColumn('subscription', name);
  }
}
