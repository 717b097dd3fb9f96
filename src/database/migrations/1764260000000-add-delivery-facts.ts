import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { nullable, text, varchar } from './table-columns.js';

/** Of which account and type a delivery is, so that an index finds it; what its target answered. */
export class AddDeliveryFacts1764260000000 implements MigrationInterface {
  readonly name = 'AddDeliveryFacts1764260000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.addColumns('delivery', deliveryColumns());
    await queryRunner.addColumn('delivery_attempt', new TableColumn(text('answer', nullable)));
    await queryRunner.createIndex('delivery', statusIndex());
    // Those that are looked for. The delivered ones are many, and gone within days.
    await queryRunner.query(
      `UPDATE delivery SET
         component_appid = (SELECT e.component_appid FROM callback_event e WHERE e.id = event_id),
         authorizer_appid = (SELECT e.authorizer_appid FROM callback_event e WHERE e.id = event_id),
         type = (SELECT ${TYPE} FROM callback_event e WHERE e.id = event_id)
       WHERE status IN ('pending', 'dead')`,
    );
    await queryRunner.createIndices('delivery', otherIndices());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndices('delivery', [statusIndex(), ...otherIndices()]);
    await queryRunner.dropColumn('delivery_attempt', 'answer');
    await queryRunner.dropColumns(
      'delivery',
      deliveryColumns().map(({ name }) => name),
    );
  }
}

const TYPE = `NULLIF(CASE e.kind WHEN 'authorization' THEN e.info_type
  WHEN 'event' THEN e.event ELSE e.msg_type END, '')`;

function deliveryColumns(): TableColumn[] {
  return ['component_appid', 'authorizer_appid', 'type'].map(
    (name) => new TableColumn(varchar(name, 64, nullable)),
  );
}

function statusIndex(): TableIndex {
  return new TableIndex({ name: 'delivery_status', columnNames: ['status', 'id'] });
}

function otherIndices(): TableIndex[] {
  const columns: Record<string, string[]> = {
    delivery_subscription: ['subscription_id', 'status', 'id'],
    delivery_component: ['component_appid', 'status', 'id'],
    delivery_account: ['authorizer_appid', 'id'],
    delivery_type: ['type', 'id'],
    delivery_created: ['created_at', 'id'],
  };
  return Object.entries(columns).map(
    ([name, columnNames]) => new TableIndex({ name, columnNames }),
  );
}
