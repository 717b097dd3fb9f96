import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/**
 * An authorization link that was given out: what its return leads back to, and what became of it.
 * Times are Unix milliseconds.
 */
@Entity('authorization_request')
@Index('authorization_request_created_at', ['createdAt'])
export class AuthorizationRequest {
  /** Random; comes back in the redirect. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  /** Address of the caller that the browser is sent back to. */
  @Column({ name: 'return_to', type: 'text', nullable: true })
  returnTo!: string | null;

  @Column({ type: 'text', nullable: true })
  state!: string | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  /** Of the one code that came back for it; null while none has. */
  @Column({ name: 'code_hash', type: 'varchar', length: 64, nullable: true })
  codeHash!: string | null;

  /** When the browser brought that code, or came last without one; the result can be had from then. */
  @BigIntColumn({ name: 'returned_at', nullable: true })
  returnedAt!: number | null;

  /** When the result was handed out: once. */
  @BigIntColumn({ name: 'redeemed_at', nullable: true })
  redeemedAt!: number | null;
}
