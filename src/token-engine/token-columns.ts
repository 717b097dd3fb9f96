import { Column } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/**
 * Columns of a table whose rows are kept fresh by the {@link TokenEngine}. Times are Unix
 * milliseconds.
 */
export abstract class TokenColumns {
  /** Encrypted. */
  @Column({ name: 'access_token', type: 'text', nullable: true })
  accessToken!: string | null;

  /** Life that WeChat gave, in seconds. */
  @Column({ name: 'expires_in', type: 'integer', nullable: true })
  expiresIn!: number | null;

  @BigIntColumn({ name: 'obtained_at', nullable: true })
  obtainedAt!: number | null;

  @BigIntColumn({ name: 'expires_at', nullable: true })
  expiresAt!: number | null;

  @BigIntColumn({ name: 'refresh_at', nullable: true })
  refreshAt!: number | null;

  /** Counts the tokens; a save under an older number is void (fencing). */
  @Column({ type: 'integer', default: 0 })
  generation!: number;

  /** Since when the current token is known to be refused by WeChat. */
  @BigIntColumn({ name: 'invalidated_at', nullable: true })
  invalidatedAt!: number | null;

  /**
   * When a refresh was last forced: by hand, by a report that the token is refused, or by what
   * cures its last failure.
   */
  @BigIntColumn({ name: 'forced_at', nullable: true })
  forcedAt!: number | null;

  /** Exchange that is under way. */
  @Column({ name: 'lease_owner', type: 'varchar', length: 36, nullable: true })
  leaseOwner!: string | null;

  @BigIntColumn({ name: 'lease_until', nullable: true })
  leaseUntil!: number | null;

  /** Failures in a row. */
  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  @BigIntColumn({ name: 'next_attempt_at', nullable: true })
  nextAttemptAt!: number | null;

  /** {@link LastError} as JSON. */
  @Column({ name: 'last_error', type: 'text', nullable: true })
  lastError!: string | null;
}
