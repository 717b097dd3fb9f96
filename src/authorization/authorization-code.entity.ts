import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';
import type { CodeSource } from '../authorizer/authorizer.js';

/** `pending`: to be exchanged; `done`: exchanged; `failed`: refused by WeChat, or too old. */
export type AuthorizationCodeState = 'pending' | 'done' | 'failed';

/**
 * An authorization code: by redirect, by event or both, it is exchanged once. The code itself is
 * kept only until then, encrypted; the row knows it by its hash. Times are Unix milliseconds.
 */
@Entity('authorization_code')
@Index('authorization_code_due', ['state', 'nextAttemptAt'])
@Index('authorization_code_received', ['receivedAt', 'codeHash'])
export class AuthorizationCode {
  /** SHA-256 of component appid and code. */
  @PrimaryColumn({ name: 'code_hash', type: 'varchar', length: 64 })
  codeHash!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  /** Named by the event; by the redirect it is known only after the exchange. */
  @Column({ name: 'authorizer_appid', type: 'varchar', length: 64, nullable: true })
  authorizerAppId!: string | null;

  /** Encrypted; null once it is of no more use. */
  @Column({ type: 'text', nullable: true })
  code!: string | null;

  /** What brought it first. */
  @Column({ type: 'varchar', length: 32 })
  source!: CodeSource;

  /**
   * The request that the browser brought it back for, empty for none; null while only WeChat has
   * pushed it. It counts for no other.
   */
  @Column({ name: 'request_id', type: 'varchar', length: 36, nullable: true })
  requestId!: string | null;

  /** CreateTime of its event, in Unix seconds. */
  @BigIntColumn({ name: 'event_time', nullable: true })
  eventTime!: number | null;

  @Column({ type: 'varchar', length: 16 })
  state!: AuthorizationCodeState;

  @Column({ name: 'lease_owner', type: 'varchar', length: 36, nullable: true })
  leaseOwner!: string | null;

  @BigIntColumn({ name: 'lease_until', nullable: true })
  leaseUntil!: number | null;

  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  @BigIntColumn({ name: 'next_attempt_at' })
  nextAttemptAt!: number;

  @Column({ name: 'last_error', type: 'text', nullable: true })
  lastError!: string | null;

  @BigIntColumn({ name: 'received_at' })
  receivedAt!: number;
}
