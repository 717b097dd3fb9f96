import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** A sign-in of a person in a browser, kept as a hash. Times are Unix milliseconds. */
@Entity('admin_session')
export class SessionRow {
  /** In order of creation. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** SHA-256 of the cookie's value, or of the link while nobody has followed it. */
  @Index('admin_session_hash', { unique: true })
  @Column({ type: 'varchar', length: 64 })
  hash!: string;

  /** Null for the owner of the admin token. */
  @Column({ name: 'operator_id', type: 'varchar', length: 36, nullable: true })
  operatorId!: string | null;

  /** What the person calls themselves; an operator's name is the operator's. */
  @Column({ type: 'varchar', length: 64 })
  name!: string;

  /** `token`, `password`, `invitation`, `link`; `unopened` is a link that nobody has followed. */
  @Column({ name: 'opened_by', type: 'varchar', length: 16 })
  openedBy!: string;

  /** A mark of what opened it, see {@link credentialMark}: where that changes, the session ends. */
  @Column({ type: 'varchar', length: 64 })
  credential!: string;

  /** When the token or password was last given. */
  @BigIntColumn({ name: 'confirmed_at', nullable: true })
  confirmedAt!: number | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  /** Written once a minute at most. */
  @BigIntColumn({ name: 'last_seen_at' })
  lastSeenAt!: number;

  @Index('admin_session_expires_at')
  @BigIntColumn({ name: 'expires_at' })
  expiresAt!: number;

  @Column({ name: 'source_address', type: 'varchar', length: 64 })
  sourceAddress!: string;

  @Column({ name: 'user_agent', type: 'varchar', length: 191 })
  userAgent!: string;
}
