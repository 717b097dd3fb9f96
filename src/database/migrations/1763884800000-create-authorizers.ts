import { Table, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';
import { bigint, nullable, primary, text, tokenColumns, varchar } from './table-columns.js';

/** Accounts that authorize a platform, their history, their codes, links and resyncs. */
export class CreateAuthorizers1763884800000 implements MigrationInterface {
  readonly name = 'CreateAuthorizers1763884800000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type === 'mysql';
    for (const table of tables(mysql)) await queryRunner.createTable(table, true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of tables(false).toReversed()) await queryRunner.dropTable(table, true);
  }
}

function tables(mysql: boolean): Table[] {
  return [authorizerTable(mysql), changeTable(), codeTable(), requestTable(), resyncTable()];
}

function integer(name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions {
  return { name, type: 'integer', ...options };
}

function authorizerTable(mysql: boolean): Table {
  return new Table({
    name: 'authorizer',
    columns: [
      varchar('component_appid', 64, primary),
      varchar('authorizer_appid', 64, primary),
      varchar('status', 32),
      varchar('type', 32),
      varchar('nick_name', 191, nullable),
      varchar('user_name', 64, nullable),
      varchar('principal_name', 191, nullable),
      text('head_img', nullable),
      integer('verify_type', nullable),
      text('func_info', nullable),
      { name: 'info', type: mysql ? 'mediumtext' : 'text', isNullable: true },
      bigint('info_due_at', nullable),
      text('refresh_token', nullable),
      bigint('first_authorized_at', nullable),
      bigint('last_authorized_at', nullable),
      bigint('revoked_at', nullable),
      bigint('event_time', nullable),
      bigint('used_at', nullable),
      varchar('resync_id', 36, nullable),
      bigint('created_at'),
      bigint('updated_at'),
      ...tokenColumns(),
    ],
    indices: [
      { name: 'authorizer_refresh_at', columnNames: ['component_appid', 'refresh_at'] },
      { name: 'authorizer_info_due_at', columnNames: ['info_due_at'] },
      { name: 'authorizer_by_appid', columnNames: ['authorizer_appid'] },
      {
        name: 'authorizer_by_status',
        columnNames: ['component_appid', 'status', 'authorizer_appid'],
      },
    ],
  });
}

function changeTable(): Table {
  return new Table({
    name: 'authorizer_change',
    columns: [
      varchar('id', 36, primary),
      varchar('component_appid', 64),
      varchar('authorizer_appid', 64),
      bigint('at'),
      varchar('what', 32),
      text('detail', nullable),
    ],
    indices: [
      {
        name: 'authorizer_change_of',
        columnNames: ['component_appid', 'authorizer_appid', 'id'],
      },
    ],
  });
}

function codeTable(): Table {
  return new Table({
    name: 'authorization_code',
    columns: [
      varchar('code_hash', 64, primary),
      varchar('component_appid', 64),
      varchar('authorizer_appid', 64, nullable),
      text('code', nullable),
      varchar('source', 32),
      bigint('event_time', nullable),
      varchar('state', 16),
      varchar('lease_owner', 36, nullable),
      bigint('lease_until', nullable),
      integer('attempts', { default: 0 }),
      bigint('next_attempt_at'),
      text('last_error', nullable),
      bigint('received_at'),
    ],
    indices: [{ name: 'authorization_code_due', columnNames: ['state', 'next_attempt_at'] }],
  });
}

function requestTable(): Table {
  return new Table({
    name: 'authorization_request',
    columns: [
      varchar('id', 36, primary),
      varchar('component_appid', 64),
      text('return_to', nullable),
      text('state', nullable),
      bigint('created_at'),
    ],
    indices: [{ name: 'authorization_request_created_at', columnNames: ['created_at'] }],
  });
}

function resyncTable(): Table {
  return new Table({
    name: 'authorizer_resync',
    columns: [
      varchar('component_appid', 64, primary),
      varchar('resync_id', 36),
      integer('done'),
      integer('total'),
      bigint('started_at'),
      bigint('finished_at', nullable),
      bigint('lease_until', nullable),
    ],
  });
}
