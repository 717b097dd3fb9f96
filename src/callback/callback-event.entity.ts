import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn, LongTextColumn } from '../database/column-types.js';

/**
 * A verified push that was accepted. Its presence means that everything it changes is in the
 * database too: both are written in one transaction.
 */
@Entity('callback_event')
@Index('callback_event_kind', ['componentAppId', 'infoType', 'receivedAt'])
@Index('callback_event_received', ['receivedAt'])
export class CallbackEvent {
  /** UUID version 7: in order of arrival. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  /** WeChat's InfoType, cut to the column's length; the payload has it whole. */
  @Column({ name: 'info_type', type: 'varchar', length: 64 })
  infoType!: string;

  /** WeChat's CreateTime in Unix seconds. */
  @BigIntColumn({ name: 'create_time', nullable: true })
  createTime!: number | null;

  /** Unix milliseconds. */
  @BigIntColumn({ name: 'received_at' })
  receivedAt!: number;

  /** Address of the connection that brought it; a reverse proxy's, where there is one. */
  @Column({ name: 'source_address', type: 'varchar', length: 64 })
  sourceAddress!: string;

  /** Which Token and key verified and decrypted it: `current` or `previous`. */
  @Column({ name: 'key_used', type: 'varchar', length: 16 })
  keyUsed!: string;

  /**
   * Timestamp, then part of a SHA-256 of component, timestamp, nonce and msg_signature: a push is
   * accepted once.
   */
  @Index('callback_event_replay', { unique: true })
  @Column({ name: 'replay_key', type: 'varchar', length: 64 })
  replayKey!: string;

  /** What WeChat was answered. */
  @Column({ type: 'varchar', length: 32 })
  outcome!: string;

  /** The decrypted XML as it came, encrypted. */
  @LongTextColumn()
  payload!: string;
}
