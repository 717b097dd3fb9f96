import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** Which URL was asked for: one of the two, or a path under `/callback` that is neither. */
export const REFUSED_URLS = ['events', 'messages', 'other'] as const;
export type RefusedUrl = (typeof REFUSED_URLS)[number];

/**
 * Pushes that were refused within an hour for one reason: what an operator needs to find a wrong
 * URL, Token or key. Nothing of what the sender wrote is in it.
 */
@Entity('refused_push')
@Index('refused_push_component', ['componentAppId', 'id'])
export class RefusedPush {
  /** UUID version 7: in order of the first one's arrival. */
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  @Column({ type: 'varchar', length: 16 })
  url!: RefusedUrl;

  /** The platform that the URL names, where it is a registered one. */
  @Column({ name: 'component_appid', type: 'varchar', length: 64, nullable: true })
  componentAppId!: string | null;

  /** Code of the error that was answered. */
  @Column({ type: 'varchar', length: 64 })
  code!: string;

  /** IPv4 address or /64; `other` for all senders beyond those that are counted apart. */
  @Column({ name: 'source_address', type: 'varchar', length: 64 })
  sourceAddress!: string;

  /** How many there were from `firstAt` to `lastAt`. */
  @BigIntColumn()
  count!: number;

  /** Unix milliseconds. */
  @Index('refused_push_first_at')
  @BigIntColumn({ name: 'first_at' })
  firstAt!: number;

  /** Unix milliseconds. */
  @BigIntColumn({ name: 'last_at' })
  lastAt!: number;
}
