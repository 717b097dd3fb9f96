import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** The newest ticket of each third-party platform: the legacy table, column for column. */
@Entity('tb_ComponentVerifyTicket')
export class ComponentVerifyTicket {
  @PrimaryGeneratedColumn({ name: 'Cvt_Id', type: 'integer' })
  id!: number;

  @Index('tb_ComponentVerifyTicket_appid', { unique: true })
  @Column({ name: 'Cvt_AppId', type: 'varchar', length: 64 })
  appId!: string;

  /** WeChat's CreateTime in Unix seconds. */
  @BigIntColumn({ name: 'Cvt_CreateTime' })
  createTime!: number;

  @Column({ name: 'Cvt_InfoType', type: 'varchar', length: 64 })
  infoType!: string;

  /** Encrypted, unless the setting for other readers of this table says otherwise. */
  @Column({ name: 'Cvt_ComponentVerifyTicket', type: 'text' })
  componentVerifyTicket!: string;

  /** When the push arrived, in UTC. */
  @Column({ name: 'Cvt_DateTime', type: 'datetime' })
  dateTime!: Date;
}
