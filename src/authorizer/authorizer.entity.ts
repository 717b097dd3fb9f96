import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn, LongTextColumn } from '../database/column-types.js';
import { TokenColumns } from '../token-engine/token-columns.js';
import type { AuthorizerStatus, AuthorizerType } from './authorizer.js';

/**
 * An account (official account or mini program) that authorized a third-party platform, its
 * authorizer_access_token and the state of its refreshing. Times are Unix milliseconds.
 */
@Entity('authorizer')
@Index('authorizer_refresh_at', ['componentAppId', 'refreshAt'])
@Index('authorizer_info_due_at', ['infoDueAt'])
@Index('authorizer_by_appid', ['authorizerAppId'])
@Index('authorizer_failing', ['attempts', 'componentAppId', 'authorizerAppId'])
@Index('authorizer_by_status', ['componentAppId', 'status', 'authorizerAppId'])
export class Authorizer extends TokenColumns {
  @PrimaryColumn({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  @PrimaryColumn({ name: 'authorizer_appid', type: 'varchar', length: 64 })
  authorizerAppId!: string;

  @Column({ type: 'varchar', length: 32 })
  status!: AuthorizerStatus;

  @Column({ type: 'varchar', length: 32 })
  type!: AuthorizerType;

  @Column({ name: 'nick_name', type: 'varchar', length: 191, nullable: true })
  nickName!: string | null;

  /** Original id, `gh_…`. */
  @Column({ name: 'user_name', type: 'varchar', length: 64, nullable: true })
  userName!: string | null;

  @Column({ name: 'principal_name', type: 'varchar', length: 191, nullable: true })
  principalName!: string | null;

  @Column({ name: 'head_img', type: 'text', nullable: true })
  headImg!: string | null;

  /** WeChat's verify_type_info.id: -1 none, 0 verified, … */
  @Column({ name: 'verify_type', type: 'integer', nullable: true })
  verifyType!: number | null;

  /** WeChat's service_type_info.id: 0 and 1 subscription account, 2 service account, … */
  @Column({ name: 'service_type', type: 'integer', nullable: true })
  serviceType!: number | null;

  /** WeChat's account_status: 1 normal, 14 cancelled, 16 banned, 18 warned, 19 frozen. */
  @Column({ name: 'account_status', type: 'integer', nullable: true })
  accountStatus!: number | null;

  /** WeChat's register_type: how a mini program was registered. */
  @Column({ name: 'register_type', type: 'integer', nullable: true })
  registerType!: number | null;

  /** Granted permission sets, ids as a JSON list. */
  @Column({ name: 'func_info', type: 'text', nullable: true })
  funcInfo!: string | null;

  /**
   * Last answer of api_get_authorizer_info without tokens, as JSON: unknown fields are kept. Large,
   * so it is read only where it is asked for.
   */
  @LongTextColumn({ nullable: true, select: false })
  info?: string | null;

  /** When the information is to be fetched (again). */
  @BigIntColumn({ name: 'info_due_at', nullable: true })
  infoDueAt!: number | null;

  /** Encrypted. Never overwritten with nothing. */
  @Column({ name: 'refresh_token', type: 'text', nullable: true })
  refreshToken!: string | null;

  @BigIntColumn({ name: 'first_authorized_at', nullable: true })
  firstAuthorizedAt!: number | null;

  @BigIntColumn({ name: 'last_authorized_at', nullable: true })
  lastAuthorizedAt!: number | null;

  @BigIntColumn({ name: 'revoked_at', nullable: true })
  revokedAt!: number | null;

  /** CreateTime of the newest event about it, in Unix seconds: an older one changes nothing. */
  @BigIntColumn({ name: 'event_time', nullable: true })
  eventTime!: number | null;

  /** When a service last read the token; accounts that no service uses are not kept warm. */
  @BigIntColumn({ name: 'used_at', nullable: true })
  usedAt!: number | null;

  /** Id of the resync that last saw it in WeChat's list. */
  @Column({ name: 'resync_id', type: 'varchar', length: 36, nullable: true })
  resyncId!: string | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  @BigIntColumn({ name: 'updated_at' })
  updatedAt!: number;
}
