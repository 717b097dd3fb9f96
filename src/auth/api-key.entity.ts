import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** A key of a service or person, kept as a hash. Times are Unix milliseconds. */
@Entity('api_key')
export class ApiKeyRow {
  /** The part of the key by which it is looked up; in order of creation. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ type: 'varchar', length: 64 })
  name!: string;

  /** SHA-256 of the whole key, in lowercase hex. */
  @Column({ type: 'varchar', length: 64 })
  hash!: string;

  /** The same of the key before the last rotation. */
  @Column({ name: 'previous_hash', type: 'varchar', length: 64, nullable: true })
  previousHash!: string | null;

  /** Until then the key before the last rotation is accepted, too. */
  @BigIntColumn({ name: 'previous_until', nullable: true })
  previousUntil!: number | null;

  /** JSON list of scopes. */
  @Column({ type: 'text' })
  scopes!: string;

  /** JSON list of the platforms that it is limited to; null for all. */
  @Column({ name: 'component_appids', type: 'text', nullable: true })
  componentAppIds!: string | null;

  /** JSON list of the accounts that it is limited to; null for all. */
  @Column({ name: 'authorizer_appids', type: 'text', nullable: true })
  authorizerAppIds!: string | null;

  /** JSON list of addresses and CIDRs from which it is accepted; null for all. */
  @Column({ type: 'text', nullable: true })
  networks!: string | null;

  /** Requests that one host accepts within a minute; null for any number. */
  @Column({ name: 'requests_per_minute', type: 'integer', nullable: true })
  requestsPerMinute!: number | null;

  @BigIntColumn({ name: 'expires_at', nullable: true })
  expiresAt!: number | null;

  @BigIntColumn({ name: 'revoked_at', nullable: true })
  revokedAt!: number | null;

  /** Written once a minute at most. */
  @BigIntColumn({ name: 'last_used_at', nullable: true })
  lastUsedAt!: number | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  @BigIntColumn({ name: 'updated_at' })
  updatedAt!: number;
}
