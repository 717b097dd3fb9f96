import { Entity, PrimaryColumn } from 'typeorm';
import { TokenColumns } from '../token-engine/token-columns.js';

/** A ticket for pages of an account, and the state of its refreshing. */
@Entity('js_ticket')
export class JsTicket extends TokenColumns {
  @PrimaryColumn({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  @PrimaryColumn({ name: 'authorizer_appid', type: 'varchar', length: 64 })
  authorizerAppId!: string;

  /** `jsapi` or `wx_card`. */
  @PrimaryColumn({ type: 'varchar', length: 16 })
  type!: string;
}
