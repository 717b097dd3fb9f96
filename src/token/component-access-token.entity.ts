import { Entity, Index, PrimaryColumn } from 'typeorm';
import { TokenColumns } from '../token-engine/token-columns.js';

/** The component_access_token of each third-party platform, and the state of its refreshing. */
@Entity('component_access_token')
@Index('component_access_token_refresh_at', ['refreshAt'])
export class ComponentAccessToken extends TokenColumns {
  @PrimaryColumn({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;
}
