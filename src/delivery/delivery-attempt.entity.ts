import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** Why an attempt was made. */
export type AttemptCause = 'schedule' | 'responder' | 'manual';

/** One call of a target, and how it went. */
@Entity('delivery_attempt')
export class DeliveryAttempt {
  /** UUID version 7: in order of time. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Index('delivery_attempt_delivery')
  @Column({ name: 'delivery_id', type: 'varchar', length: 36 })
  deliveryId!: string;

  /** When it began, in Unix milliseconds. */
  @BigIntColumn()
  at!: number;

  @Column({ name: 'duration_ms', type: 'integer' })
  durationMs!: number;

  @Column({ type: 'varchar', length: 16 })
  cause!: AttemptCause;

  /** HTTP status of the answer; null when none came. */
  @Column({ type: 'integer', nullable: true })
  status!: number | null;

  /** What was wrong; null when nothing was. Holds nothing of the answer's content. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  error!: string | null;

  /** The beginning of an answer that was kept, encrypted; null for none. */
  @Column({ type: 'text', nullable: true })
  answer!: string | null;
}
