import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** A registered third-party platform. Secrets are encrypted; times are Unix milliseconds. */
@Entity('component')
export class ComponentRow {
  @PrimaryColumn({ type: 'varchar', length: 64 })
  appid!: string;

  @Column({ type: 'varchar', length: 128 })
  name!: string;

  @Column({ type: 'boolean', default: true })
  enabled!: boolean;

  @Column({ name: 'app_secret', type: 'text' })
  appSecret!: string;

  @Column({ name: 'previous_app_secret', type: 'text', nullable: true })
  previousAppSecret!: string | null;

  @BigIntColumn({ name: 'app_secret_changed_at' })
  appSecretChangedAt!: number;

  /** When WeChat has last taken the current one. */
  @BigIntColumn({ name: 'app_secret_used_at', nullable: true })
  appSecretUsedAt!: number | null;

  @Column({ type: 'text' })
  token!: string;

  @Column({ name: 'previous_token', type: 'text', nullable: true })
  previousToken!: string | null;

  @BigIntColumn({ name: 'token_changed_at' })
  tokenChangedAt!: number;

  /** When a push has last come under the current one. */
  @BigIntColumn({ name: 'token_used_at', nullable: true })
  tokenUsedAt!: number | null;

  @Column({ name: 'encoding_aes_key', type: 'text' })
  encodingAesKey!: string;

  @Column({ name: 'previous_encoding_aes_key', type: 'text', nullable: true })
  previousEncodingAesKey!: string | null;

  @BigIntColumn({ name: 'encoding_aes_key_changed_at' })
  encodingAesKeyChangedAt!: number;

  /** When a push has last come under the current one. */
  @BigIntColumn({ name: 'encoding_aes_key_used_at', nullable: true })
  encodingAesKeyUsedAt!: number | null;

  /** Hashes of the environment's values that were applied to this row, newest last; encrypted. */
  @Column({ name: 'applied_environment', type: 'text', nullable: true })
  appliedEnvironment!: string | null;

  /** When WeChat was last asked to push tickets again. */
  @BigIntColumn({ name: 'start_push_at', nullable: true })
  startPushAt!: number | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  @BigIntColumn({ name: 'updated_at' })
  updatedAt!: number;
}
