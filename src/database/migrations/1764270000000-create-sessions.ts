import { Table, TableColumn, type MigrationInterface, type QueryRunner } from 'typeorm';
import { bigint, nullable, primary, varchar } from './table-columns.js';

/** Operators and sessions of the console; in the audit trail, who is behind an actor. */
export class CreateSessions1764270000000 implements MigrationInterface {
  readonly name = 'CreateSessions1764270000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(operatorTable(), true);
    await queryRunner.createTable(sessionTable(), true);
    await queryRunner.addColumns('audit_record', auditColumns());
    await queryRunner.query("UPDATE audit_record SET actor_kind = 'key' WHERE actor LIKE 'key:%'");
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropColumns(
      'audit_record',
      auditColumns().map(({ name }) => name),
    );
    await queryRunner.dropTable(sessionTable(), true);
    await queryRunner.dropTable(operatorTable(), true);
  }
}

function operatorTable(): Table {
  return new Table({
    name: 'operator',
    columns: [
      varchar('id', 36, primary),
      varchar('name', 64),
      varchar('role', 16),
      { name: 'enabled', type: 'boolean' },
      { name: 'reads_content', type: 'boolean' },
      varchar('password', 191, nullable),
      varchar('invitation_hash', 64, nullable),
      bigint('invitation_until', nullable),
      bigint('signed_in_at', nullable),
      bigint('created_at'),
      bigint('updated_at'),
    ],
    indices: [
      { name: 'operator_name', columnNames: ['name'], isUnique: true },
      { name: 'operator_invitation', columnNames: ['invitation_hash'], isUnique: true },
    ],
  });
}

function sessionTable(): Table {
  return new Table({
    name: 'admin_session',
    columns: [
      varchar('id', 36, primary),
      varchar('hash', 64),
      varchar('operator_id', 36, nullable),
      varchar('name', 64),
      varchar('opened_by', 16),
      varchar('credential', 64),
      bigint('confirmed_at', nullable),
      bigint('created_at'),
      bigint('last_seen_at'),
      bigint('expires_at'),
      varchar('source_address', 64),
      varchar('user_agent', 191),
    ],
    indices: [
      { name: 'admin_session_hash', columnNames: ['hash'], isUnique: true },
      { name: 'admin_session_expires_at', columnNames: ['expires_at'] },
    ],
  });
}

function auditColumns(): TableColumn[] {
  return [
    varchar('actor_kind', 16, { default: "'token'" }),
    varchar('actor_name', 64, nullable),
    { name: 'count', type: 'integer', default: 1 },
  ].map((column) => new TableColumn(column));
}
