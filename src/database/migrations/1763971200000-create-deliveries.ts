import {
  Table,
  TableColumn,
  TableIndex,
  type MigrationInterface,
  type QueryRunner,
  type TableColumnOptions,
} from 'typeorm';
import { bigint, nullable, primary, text, varchar } from './table-columns.js';

/** Messages beside the authorization events, and the deliveries of both to the platform's services. */
export class CreateDeliveries1763971200000 implements MigrationInterface {
  readonly name = 'CreateDeliveries1763971200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const columns = eventColumns().map((column) => new TableColumn(column));
    await queryRunner.addColumns('callback_event', columns);
    await queryRunner.createIndices('callback_event', eventIndices());
    for (const table of tables()) await queryRunner.createTable(table, true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of tables().toReversed()) await queryRunner.dropTable(table, true);
    await queryRunner.dropIndices('callback_event', eventIndices());
    await queryRunner.dropColumns(
      'callback_event',
      eventColumns().map(({ name }) => name),
    );
  }
}

function eventColumns(): TableColumnOptions[] {
  return [
    varchar('kind', 16, { default: "'authorization'" }),
    varchar('authorizer_appid', 64, nullable),
    varchar('msg_type', 64, nullable),
    varchar('event', 64, nullable),
    varchar('from_user', 64, nullable),
    varchar('dedup_key', 64, nullable),
    text('reply', nullable),
  ];
}

function eventIndices(): TableIndex[] {
  return [
    new TableIndex({ name: 'callback_event_dedup', columnNames: ['dedup_key'], isUnique: true }),
    new TableIndex({ name: 'callback_event_account', columnNames: ['authorizer_appid', 'id'] }),
    new TableIndex({ name: 'callback_event_user', columnNames: ['from_user', 'id'] }),
  ];
}

function integer(name: string, options: Partial<TableColumnOptions> = {}): TableColumnOptions {
  return { name, type: 'integer', ...options };
}

function tables(): Table[] {
  return [subscriptionTable(), deliveryTable(), attemptTable()];
}

function subscriptionTable(): Table {
  return new Table({
    name: 'subscription',
    columns: [
      varchar('id', 36, primary),
      varchar('name', 191),
      text('url'),
      text('secret'),
      text('previous_secret', nullable),
      bigint('secret_changed_at'),
      varchar('mode', 16),
      varchar('format', 16),
      varchar('component_appid', 64, nullable),
      varchar('authorizer_appid', 64, nullable),
      text('kinds', nullable),
      text('types', nullable),
      { name: 'ordered', type: 'boolean' },
      { name: 'late_reply', type: 'boolean' },
      integer('budget_ms'),
      { name: 'enabled', type: 'boolean' },
      bigint('failing_since', nullable),
      bigint('disabled_at', nullable),
      varchar('disabled_reason', 191, nullable),
      bigint('created_at'),
      bigint('updated_at'),
    ],
  });
}

function deliveryTable(): Table {
  return new Table({
    name: 'delivery',
    columns: [
      varchar('id', 36, primary),
      varchar('event_id', 36),
      varchar('subscription_id', 36),
      varchar('order_key', 191, nullable),
      varchar('status', 16),
      integer('attempts', { default: 0 }),
      bigint('next_attempt_at', nullable),
      varchar('lease_owner', 36, nullable),
      varchar('last_error', 255, nullable),
      bigint('created_at'),
      bigint('finished_at', nullable),
      bigint('replayed_at', nullable),
    ],
    indices: [
      { name: 'delivery_event', columnNames: ['event_id'] },
      { name: 'delivery_due', columnNames: ['subscription_id', 'status', 'next_attempt_at'] },
      { name: 'delivery_order', columnNames: ['order_key', 'status', 'id'] },
    ],
  });
}

function attemptTable(): Table {
  return new Table({
    name: 'delivery_attempt',
    columns: [
      varchar('id', 36, primary),
      varchar('delivery_id', 36),
      bigint('at'),
      integer('duration_ms'),
      varchar('cause', 16),
      integer('status', nullable),
      varchar('error', 255, nullable),
    ],
    indices: [{ name: 'delivery_attempt_delivery', columnNames: ['delivery_id'] }],
  });
}
