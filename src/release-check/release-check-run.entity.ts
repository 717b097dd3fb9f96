import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn, LongTextColumn } from '../database/column-types.js';

/** A release check that was played here, as it ended. */
@Entity('release_check_run')
@Index('release_check_run_component', ['componentAppId', 'id'])
export class ReleaseCheckRun {
  /** UUID version 7: in order of the runs. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  /** When it ended, in Unix milliseconds. */
  @BigIntColumn()
  at!: number;

  /** The answer as it was given, JSON: no code, no ticket, no key is in it. */
  @LongTextColumn()
  result!: string;
}
