import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A fact about the installation that hosts share, such as the hash of the admin token. */
@Entity('setting')
export class Setting {
  @PrimaryColumn({ type: 'varchar', length: 64 })
  name!: string;

  @Column({ type: 'text' })
  value!: string;
}
