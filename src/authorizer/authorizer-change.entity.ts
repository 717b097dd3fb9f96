import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** Something that happened to an authorization: its full history. Holds no secret. */
@Entity('authorizer_change')
@Index('authorizer_change_of', ['componentAppId', 'authorizerAppId', 'id'])
export class AuthorizerChange {
  /** UUID version 7: in order of time. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  @Column({ name: 'authorizer_appid', type: 'varchar', length: 64 })
  authorizerAppId!: string;

  /** Unix milliseconds. */
  @BigIntColumn()
  at!: number;

  /** Such as `authorized`, `unauthorized`, `code_expired`, `refresh_token_repaired`. */
  @Column({ type: 'varchar', length: 32 })
  what!: string;

  /** Details as JSON. */
  @Column({ type: 'text', nullable: true })
  detail!: string | null;
}
