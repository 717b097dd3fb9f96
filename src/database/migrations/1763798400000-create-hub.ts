import { Table, type MigrationInterface, type QueryRunner, type TableColumnOptions } from 'typeorm';
import { bigint, nullable, primary, text, tokenColumns, varchar } from './table-columns.js';

/** Tickets, tokens, platforms, recorded pushes, settings and the audit trail. */
export class CreateHub1763798400000 implements MigrationInterface {
  readonly name = 'CreateHub1763798400000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type === 'mysql';
    // Appids, hashes and ids are compared byte by byte, as SQLite does: MySQL's own default takes
    // upper and lower case for equal.
    if (mysql) await queryRunner.query('ALTER DATABASE COLLATE utf8mb4_bin');
    for (const table of tables(mysql)) await queryRunner.createTable(table, true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of tables(false).toReversed()) await queryRunner.dropTable(table, true);
  }
}

function tables(mysql: boolean): Table[] {
  return [
    settingTable(),
    auditTable(),
    componentTable(),
    callbackEventTable(mysql),
    ticketTable(),
    componentAccessTokenTable(),
  ];
}

function settingTable(): Table {
  return new Table({ name: 'setting', columns: [varchar('name', 64, primary), text('value')] });
}

function auditTable(): Table {
  return new Table({
    name: 'audit_record',
    columns: [
      varchar('id', 36, primary),
      bigint('at'),
      varchar('action', 64),
      varchar('target', 191),
      varchar('request_id', 64, nullable),
      varchar('source_address', 64, nullable),
    ],
    indices: [{ name: 'audit_record_at', columnNames: ['at'] }],
  });
}

function componentTable(): Table {
  return new Table({
    name: 'component',
    columns: [
      varchar('appid', 64, primary),
      varchar('name', 128),
      { name: 'enabled', type: 'boolean', default: 1 },
      ...rotating('app_secret'),
      ...rotating('token'),
      ...rotating('encoding_aes_key'),
      text('applied_environment', nullable),
      bigint('start_push_at', nullable),
      bigint('created_at'),
      bigint('updated_at'),
    ],
  });
}

function rotating(name: string): TableColumnOptions[] {
  return [text(name), text(`previous_${name}`, nullable), bigint(`${name}_changed_at`)];
}

function callbackEventTable(mysql: boolean): Table {
  return new Table({
    name: 'callback_event',
    columns: [
      varchar('id', 36, primary),
      varchar('component_appid', 64),
      varchar('info_type', 64),
      bigint('create_time', nullable),
      bigint('received_at'),
      varchar('source_address', 64),
      varchar('key_used', 16),
      varchar('replay_key', 64),
      varchar('outcome', 32),
      { name: 'payload', type: mysql ? 'mediumtext' : 'text' },
    ],
    indices: [
      { name: 'callback_event_replay', columnNames: ['replay_key'], isUnique: true },
      {
        name: 'callback_event_kind',
        columnNames: ['component_appid', 'info_type', 'received_at'],
      },
      { name: 'callback_event_received', columnNames: ['received_at'] },
    ],
  });
}

function ticketTable(): Table {
  return new Table({
    name: 'tb_ComponentVerifyTicket',
    columns: [
      {
        name: 'Cvt_Id',
        type: 'integer',
        isPrimary: true,
        isGenerated: true,
        generationStrategy: 'increment',
      },
      varchar('Cvt_AppId', 64),
      bigint('Cvt_CreateTime'),
      varchar('Cvt_InfoType', 64),
      text('Cvt_ComponentVerifyTicket'),
      { name: 'Cvt_DateTime', type: 'datetime' },
    ],
    indices: [
      { name: 'tb_ComponentVerifyTicket_appid', columnNames: ['Cvt_AppId'], isUnique: true },
    ],
  });
}

function componentAccessTokenTable(): Table {
  return new Table({
    name: 'component_access_token',
    columns: [varchar('component_appid', 64, primary), ...tokenColumns()],
    indices: [{ name: 'component_access_token_refresh_at', columnNames: ['refresh_at'] }],
  });
}
