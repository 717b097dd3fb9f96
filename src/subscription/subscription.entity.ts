import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** Who is notified of which pushes, and how. Times are Unix milliseconds. */
@Entity('subscription')
export class SubscriptionRow {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ type: 'varchar', length: 191 })
  name!: string;

  @Column({ type: 'text' })
  url!: string;

  /** `whsec_…` of Standard Webhooks, encrypted. */
  @Column({ type: 'text' })
  secret!: string;

  /** The secret before the last change, encrypted; it signs too for a while. */
  @Column({ name: 'previous_secret', type: 'text', nullable: true })
  previousSecret!: string | null;

  @BigIntColumn({ name: 'secret_changed_at' })
  secretChangedAt!: number;

  /** The Token that signs in WeChat's format, encrypted; null where there was never one. */
  @Column({ type: 'text', nullable: true })
  token!: string | null;

  /** The EncodingAESKey of that format, encrypted. */
  @Column({ name: 'encoding_aes_key', type: 'text', nullable: true })
  encodingAesKey!: string | null;

  /** `responder`: its answer becomes the passive reply. `subscriber`: notified afterwards. */
  @Column({ type: 'varchar', length: 16 })
  mode!: string;

  /** `json`: a JSON view with the raw text in it. `raw`: the text. `wechat`: as WeChat posts it. */
  @Column({ type: 'varchar', length: 16 })
  format!: string;

  /** Only pushes of this platform; null for all. */
  @Column({ name: 'component_appid', type: 'varchar', length: 64, nullable: true })
  componentAppId!: string | null;

  /** Only pushes of this account; null for all. */
  @Column({ name: 'authorizer_appid', type: 'varchar', length: 64, nullable: true })
  authorizerAppId!: string | null;

  /** JSON list of kinds (`authorization`, `message`, `event`); null for all. */
  @Column({ type: 'text', nullable: true })
  kinds!: string | null;

  /** JSON list of values of InfoType, MsgType or Event; null for all. */
  @Column({ type: 'text', nullable: true })
  types!: string | null;

  /** Whether the pushes of one account are delivered one after another, in order of arrival. */
  @Column({ type: 'boolean' })
  ordered!: boolean;

  /** Whether a responder's text that comes too late is sent as a customer-service message. */
  @Column({ name: 'late_reply', type: 'boolean' })
  lateReply!: boolean;

  /** Whether what a responder's text is too long by is sent as customer-service messages. */
  @Column({ name: 'split_text', type: 'boolean', default: true })
  splitText!: boolean;

  /** Milliseconds from a message's arrival within which a responder's answer is waited for. */
  @Column({ name: 'budget_ms', type: 'integer' })
  budgetMs!: number;

  @Column({ type: 'boolean' })
  enabled!: boolean;

  /** First failure since the last success; null while deliveries succeed. */
  @BigIntColumn({ name: 'failing_since', nullable: true })
  failingSince!: number | null;

  /** The last failure that was counted: one an hour. */
  @BigIntColumn({ name: 'failed_at', nullable: true })
  failedAt!: number | null;

  /** Milliseconds between counted failures since `failing_since`, long gaps cut short. */
  @BigIntColumn({ name: 'failing_ms', default: 0 })
  failingMs!: number;

  @BigIntColumn({ name: 'disabled_at', nullable: true })
  disabledAt!: number | null;

  @Column({ name: 'disabled_reason', type: 'varchar', length: 191, nullable: true })
  disabledReason!: string | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  @BigIntColumn({ name: 'updated_at' })
  updatedAt!: number;
}
