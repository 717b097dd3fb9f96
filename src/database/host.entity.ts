import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from './column-types.js';

/** A process that uses the database, from its start to its stop. Times are Unix milliseconds. */
@Entity('host')
export class Host {
  /** Another one at each start. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** Of the machine or container. */
  @Column({ type: 'varchar', length: 191 })
  name!: string;

  @Column({ type: 'integer' })
  pid!: number;

  /** Of the hub; null where it is not known. */
  @Column({ type: 'varchar', length: 64, nullable: true })
  version!: string | null;

  @BigIntColumn({ name: 'started_at' })
  startedAt!: number;

  /** Written once a minute, by the host's own clock. */
  @BigIntColumn({ name: 'last_seen_at' })
  lastSeenAt!: number;
}
