import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** An authorization link that was given out: what its return leads back to. */
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

  /** Unix milliseconds. */
  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;
}
