import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn, LongTextColumn } from '../database/column-types.js';
import type { Outcome, PushKind } from './push.js';
import type { KeyUsed } from './push-verifier.js';

/**
 * A verified push that was accepted. Its presence means that everything it changes is in the
 * database too: both are written in one transaction.
 */
@Entity('callback_event')
@Index('callback_event_kind', ['componentAppId', 'infoType', 'receivedAt'])
@Index('callback_event_received', ['receivedAt'])
@Index('callback_event_account', ['authorizerAppId', 'id'])
@Index('callback_event_user', ['fromUser', 'id'])
export class CallbackEvent {
  /** UUID version 7: in order of arrival. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  /** By its text, whichever URL it came to: a message, an event, or an authorization event. */
  @Column({ type: 'varchar', length: 16, default: 'authorization' })
  kind!: PushKind;

  /** WeChat's InfoType, cut to the column's length; the payload has it whole. Empty for messages. */
  @Column({ name: 'info_type', type: 'varchar', length: 64 })
  infoType!: string;

  /** The account that a message is for, or that an authorization event is about. */
  @Column({ name: 'authorizer_appid', type: 'varchar', length: 64, nullable: true })
  authorizerAppId!: string | null;

  @Column({ name: 'msg_type', type: 'varchar', length: 64, nullable: true })
  msgType!: string | null;

  @Column({ type: 'varchar', length: 64, nullable: true })
  event!: string | null;

  /** FromUserName: the user's openid. */
  @Column({ name: 'from_user', type: 'varchar', length: 64, nullable: true })
  fromUser!: string | null;

  /** WeChat's CreateTime in Unix seconds. */
  @BigIntColumn({ name: 'create_time', nullable: true })
  createTime!: number | null;

  /** Unix milliseconds. */
  @BigIntColumn({ name: 'received_at' })
  receivedAt!: number;

  /** The sender's address; a reverse proxy's, where `TRUSTED_PROXIES` does not name it. */
  @Column({ name: 'source_address', type: 'varchar', length: 64 })
  sourceAddress!: string;

  /** Which Token and key verified and decrypted it: `current` or `previous`. */
  @Column({ name: 'key_used', type: 'varchar', length: 16 })
  keyUsed!: KeyUsed;

  /** Of earlier versions, which may write beside this one during a rolling update; now empty. */
  @Column({ name: 'replay_key', type: 'varchar', length: 64 })
  replayKey!: string;

  /**
   * CreateTime, then part of a SHA-256 of what makes a push the same one, repeated or replayed; null
   * for old authorization events.
   */
  @Index('callback_event_dedup', { unique: true })
  @Column({ name: 'dedup_key', type: 'varchar', length: 64, nullable: true })
  dedupKey!: string | null;

  /** Why the fields of its text could not all be read; null where they could. */
  @Column({ type: 'varchar', length: 191, nullable: true })
  problem!: string | null;

  /** What WeChat was answered; `reply` with the message in that column. */
  @Column({ type: 'varchar', length: 32 })
  outcome!: Outcome;

  /** The passive reply (被动回复) before its encryption for WeChat, encrypted for the database. */
  @Column({ type: 'text', nullable: true })
  reply!: string | null;

  /** The decrypted text as it came, encrypted. */
  @LongTextColumn()
  payload!: string;
}
