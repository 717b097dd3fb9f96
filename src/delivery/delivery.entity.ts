import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/**
 * `pending` until it is `delivered`, or `dead` after the last retry, or `cancelled` because its
 * subscription or its push is gone.
 */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'dead', 'cancelled'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** One push on its way to one subscription. Times are Unix milliseconds. */
@Entity('delivery')
@Index('delivery_event', ['eventId'])
@Index('delivery_due', ['subscriptionId', 'status', 'nextAttemptAt'], {
  where: 'next_attempt_at IS NOT NULL',
})
@Index('delivery_order', ['orderKey', 'status', 'id'], { where: 'order_key IS NOT NULL' })
@Index('delivery_subscription', ['subscriptionId', 'status', 'id'])
@Index('delivery_component', ['componentAppId', 'status', 'id'])
@Index('delivery_account', ['authorizerAppId', 'id'])
@Index('delivery_type', ['type', 'id'])
@Index('delivery_created', ['createdAt', 'id'])
export class DeliveryRow {
  /** UUID version 7: in order of arrival. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ name: 'event_id', type: 'varchar', length: 36 })
  eventId!: string;

  @Column({ name: 'subscription_id', type: 'varchar', length: 36 })
  subscriptionId!: string;

  /** Deliveries of one key go one after another; null where order does not matter. */
  @Column({ name: 'order_key', type: 'varchar', length: 191, nullable: true })
  orderKey!: string | null;

  @Column({ type: 'varchar', length: 16 })
  status!: DeliveryStatus;

  /** Attempts of the schedule that were made; manual ones do not count. */
  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  /**
   * From then on any process may claim it: when its next attempt is due or, while a process has
   * leased it, when that process's lease ends. One column for both, so that a search for what is due
   * does not come by what is leased. Null when nothing more is to be done.
   */
  @BigIntColumn({ name: 'next_attempt_at', nullable: true })
  nextAttemptAt!: number | null;

  /** The process that has leased it. */
  @Column({ name: 'lease_owner', type: 'varchar', length: 36, nullable: true })
  leaseOwner!: string | null;

  @Column({ name: 'last_error', type: 'varchar', length: 255, nullable: true })
  lastError!: string | null;

  @BigIntColumn({ name: 'created_at' })
  createdAt!: number;

  @BigIntColumn({ name: 'finished_at', nullable: true })
  finishedAt!: number | null;

  /** When a replay began it, again or for the first time: its reply goes to no user. */
  @BigIntColumn({ name: 'replayed_at', nullable: true })
  replayedAt!: number | null;

  /** The platform of its push; like the next two, null in some rows of before the column. */
  @Column({ name: 'component_appid', type: 'varchar', length: 64, nullable: true })
  componentAppId!: string | null;

  /** The account that its push is for, or that an authorization event is about. */
  @Column({ name: 'authorizer_appid', type: 'varchar', length: 64, nullable: true })
  authorizerAppId!: string | null;

  /** InfoType of an authorization event, Event of an event, MsgType of a message. */
  @Column({ type: 'varchar', length: 64, nullable: true })
  type!: string | null;
}
