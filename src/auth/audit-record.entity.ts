import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** Who did what to which thing: secrets shown, components changed. Holds no secret. */
@Entity('audit_record')
export class AuditRecord {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** Unix milliseconds. */
  @Index('audit_record_at')
  @BigIntColumn()
  at!: number;

  @Column({ type: 'varchar', length: 64 })
  action!: string;

  @Column({ type: 'varchar', length: 191 })
  target!: string;

  @Column({ name: 'request_id', type: 'varchar', length: 64, nullable: true })
  requestId!: string | null;

  @Column({ name: 'source_address', type: 'varchar', length: 64, nullable: true })
  sourceAddress!: string | null;
}
