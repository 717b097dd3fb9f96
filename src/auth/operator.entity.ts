import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** A person who may use the console. Times are Unix milliseconds. */
@Entity('operator')
export class OperatorRow {
  /** In order of creation. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Index('operator_name', { unique: true })
  @Column({ type: 'varchar', length: 64 })
  name!: string;

  /** `viewer`, `operator`, `owner`. */
  @Column({ type: 'varchar', length: 16 })
  role!: string;

  @Column({ type: 'boolean' })
  enabled!: boolean;

  /** Whether a viewer may read the content of pushes. */
  @Column({ name: 'reads_content', type: 'boolean' })
  readsContent!: boolean;

  /** See `hashPassword`; null until the operator has set one. */
  @Column({ type: 'varchar', length: 191, nullable: true })
  password!: string | null;

  /** SHA-256 of the invitation that was not used yet. */
  @Index('operator_invitation', { unique: true })
  @Column({ name: 'invitation_hash', type: 'varchar', length: 64, nullable: true })
  invitationHash!: string | null;

  @BigIntColumn({ name: 'invitation_until', nullable: true })
  invitationUntil!: number | null;

  @BigIntColumn({ name: 'signed_in_at', nullable: true })
  signedInAt!: number | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  @BigIntColumn({ name: 'updated_at' })
  updatedAt!: number;
}
