import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import { nullable, varchar } from './table-columns.js';

/**
 * `dedup_key` knows a repeated push by what it says, and so also one that is replayed to the byte:
 * the second unique key cost every push two random pages of an index. The column stays for hubs of
 * an earlier version, which go on writing it during a rolling update.
 */
export class OneKeyOfPushes1764320000000 implements MigrationInterface {
  readonly name = 'OneKeyOfPushes1764320000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndex('callback_event', replayIndex());
    await changeReplayKey(queryRunner, true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    // What was recorded meanwhile is known by its other key.
    await queryRunner.query('UPDATE callback_event SET replay_key = id WHERE replay_key IS NULL');
    await changeReplayKey(queryRunner, false);
    await queryRunner.createIndex('callback_event', replayIndex());
  }
}

async function changeReplayKey(queryRunner: QueryRunner, isNullable: boolean): Promise<void> {
  const isMysql = queryRunner.connection.options.type === 'mysql';
  if (isMysql || !isNullable) {
    const column = new TableColumn(varchar('replay_key', 64, isNullable ? nullable : {}));
    return queryRunner.changeColumn('callback_event', 'replay_key', column);
  }
  // SQLite changes no column: TypeORM would copy the table, which may be large. No other hub writes.
  await queryRunner.query('ALTER TABLE callback_event DROP COLUMN replay_key');
  await queryRunner.query('ALTER TABLE callback_event ADD COLUMN replay_key varchar(64)');
}

function replayIndex(): TableIndex {
  return new TableIndex({
    name: 'callback_event_replay',
    columnNames: ['replay_key'],
    isUnique: true,
  });
}
