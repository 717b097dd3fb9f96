import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, nullable, varchar } from './table-columns.js';

/** Whose a code is, whether its result was asked for; who did what in the audit trail, and how it ended. */
export class BindAuthorizationResults1764160000000 implements MigrationInterface {
  readonly name = 'BindAuthorizationResults1764160000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const [table, columns] of additions()) await queryRunner.addColumns(table, columns);
    await queryRunner.createIndices('audit_record', auditIndices());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndices('audit_record', auditIndices());
    for (const [table, columns] of additions().toReversed()) {
      await queryRunner.dropColumns(
        table,
        columns.map(({ name }) => name),
      );
    }
  }
}

function additions(): [string, TableColumn[]][] {
  return [
    ['authorization_code', [new TableColumn(varchar('request_id', 36, nullable))]],
    [
      'authorization_request',
      [
        varchar('code_hash', 64, nullable),
        bigint('returned_at', nullable),
        bigint('redeemed_at', nullable),
      ].map((column) => new TableColumn(column)),
    ],
    [
      'audit_record',
      [varchar('actor', 64, { default: "'admin'" }), varchar('outcome', 64, nullable)].map(
        (column) => new TableColumn(column),
      ),
    ],
  ];
}

function auditIndices(): TableIndex[] {
  return [
    new TableIndex({ name: 'audit_record_action', columnNames: ['action', 'id'] }),
    new TableIndex({ name: 'audit_record_target', columnNames: ['target', 'id'] }),
  ];
}
