import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** Who did what to which thing, and how it ended. Holds no secret. */
@Entity('audit_record')
@Index('audit_record_action', ['action', 'id'])
@Index('audit_record_target', ['target', 'id'])
export class AuditRecord {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** Unix milliseconds. */
  @Index('audit_record_at')
  @BigIntColumn()
  at!: number;

  /** See {@link Caller}. */
  @Column({ type: 'varchar', length: 64, default: 'admin' })
  actor!: string;

  /** See {@link CallerKind}. */
  @Column({ name: 'actor_kind', type: 'varchar', length: 16, default: 'token' })
  actorKind!: string;

  @Column({ name: 'actor_name', type: 'varchar', length: 64, nullable: true })
  actorName!: string | null;

  @Column({ type: 'varchar', length: 64 })
  action!: string;

  @Column({ type: 'varchar', length: 191 })
  target!: string;

  /** `ok`, or the code of the error that was answered; null in rows of versions before it. */
  @Column({ type: 'varchar', length: 64, nullable: true })
  outcome!: string | null;

  /** How often within a minute: more than 1 only where refusals are counted together. */
  @Column({ type: 'integer', default: 1 })
  count!: number;

  @Column({ name: 'request_id', type: 'varchar', length: 64, nullable: true })
  requestId!: string | null;

  @Column({ name: 'source_address', type: 'varchar', length: 64, nullable: true })
  sourceAddress!: string | null;
}
