import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** The last resync of a third-party platform with WeChat's list. Times are Unix milliseconds. */
@Entity('authorizer_resync')
export class AuthorizerResync {
  @PrimaryColumn({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  @Column({ name: 'resync_id', type: 'varchar', length: 36 })
  resyncId!: string;

  /** Accounts of WeChat's list that were compared: where it goes on after a crash. */
  @Column({ type: 'integer' })
  done!: number;

  @Column({ type: 'integer' })
  total!: number;

  @BigIntColumn({ name: 'started_at' })
  startedAt!: number;

  @BigIntColumn({ name: 'finished_at', nullable: true })
  finishedAt!: number | null;

  /** A host works on it until then. */
  @BigIntColumn({ name: 'lease_until', nullable: true })
  leaseUntil!: number | null;
}
