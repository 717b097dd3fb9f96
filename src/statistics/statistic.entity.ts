import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BigIntColumn } from '../database/column-types.js';

/** How often something happened within an hour. What does not apply is an empty text. */
@Entity('statistic')
@Index(
  'statistic_counted',
  ['hour', 'kind', 'componentAppId', 'authorizerAppId', 'actor', 'path', 'outcome'],
  { unique: true },
)
export class Statistic {
  @PrimaryColumn({ type: 'varchar', length: 36 })
  id!: string;

  /** Its beginning, in Unix milliseconds. */
  @BigIntColumn()
  hour!: number;

  /** A `StatisticKind`. */
  @Column({ type: 'varchar', length: 16 })
  kind!: string;

  /** Who called: `admin`, or `key:` and the id of the API key. */
  @Column({ type: 'varchar', length: 64 })
  actor!: string;

  @Column({ name: 'component_appid', type: 'varchar', length: 64 })
  componentAppId!: string;

  @Column({ name: 'authorizer_appid', type: 'varchar', length: 64 })
  authorizerAppId!: string;

  /** WeChat's path, the type of a push, the id of a subscription, the kind of a token. */
  @Column({ type: 'varchar', length: 128 })
  path!: string;

  /** WeChat's errcode, a word, or the bucket of a time. */
  @Column({ type: 'varchar', length: 64 })
  outcome!: string;

  @BigIntColumn()
  count!: number;
}
