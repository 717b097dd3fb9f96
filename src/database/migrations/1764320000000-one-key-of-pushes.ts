import { TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * `dedup_key` knows a repeated push by what it says, and so also one that is replayed to the byte:
 * the second unique key cost every push two random pages of an index. The column stays, for hubs of
 * an earlier version that write it during a rolling update, and since to drop it means to copy what
 * may be a large table.
 */
export class OneKeyOfPushes1764320000000 implements MigrationInterface {
  readonly name = 'OneKeyOfPushes1764320000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndex('callback_event', replayIndex());
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    // What was recorded meanwhile is known by its other key.
    await queryRunner.query("UPDATE callback_event SET replay_key = id WHERE replay_key = ''");
    await queryRunner.createIndex('callback_event', replayIndex());
  }
}

function replayIndex(): TableIndex {
  return new TableIndex({
    name: 'callback_event_replay',
    columnNames: ['replay_key'],
    isUnique: true,
  });
}
