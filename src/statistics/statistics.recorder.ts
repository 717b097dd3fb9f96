import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { Cron, CronExpression, Interval } from '@nestjs/schedule';
import { Background } from '../common/background.js';
import { Clock } from '../common/clock.js';
import { onTelemetry } from '../common/telemetry.js';
import { DAY_MS, MINUTE_MS } from '../common/times.js';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { HourlyCounts, type Counted } from './hourly-counts.js';
import { bucketOf } from './latency.js';
import { StatisticStore } from './statistic.store.js';

/** A stop waits for a database that others hold no longer than so many milliseconds. */
const STOP_LIMIT_MS = 1000;
/** How often counts that are few are added, in milliseconds, and how many that are. */
const FEW_EVERY_MS = 10_000;
const FEW = 100;
/** What a push that was refused before it could be read is reported as. */
const UNVERIFIED = 'unverified';

/**
 * Counts what features report, and adds it to the table once a minute and at a stop: a host that
 * is killed loses a minute. What costs little is added earlier: who tries something out sees it.
 */
@Injectable()
export class StatisticsRecorder implements BeforeApplicationShutdown {
  private readonly logger = new Logger(StatisticsRecorder.name);
  private readonly counts = new HourlyCounts();
  private readonly stopListening: (() => void)[];

  constructor(
    private readonly store: StatisticStore,
    private readonly clock: Clock,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly background: Background,
  ) {
    this.stopListening = [
      onTelemetry('gateway.call', ({ errcode, ...call }) =>
        this.count({ ...call, kind: 'call', outcome: errcode }),
      ),
      onTelemetry('callback.push', ({ componentAppId, infoType, outcome, seconds }) => {
        this.count({ kind: 'push', componentAppId, path: infoType, outcome });
        // One that is refused before it is read says nothing of how long WeChat waits.
        if (infoType === UNVERIFIED) return;
        this.count({ kind: 'push_time', componentAppId, path: '', outcome: bucketOf(seconds) });
      }),
      onTelemetry('delivery.attempt', ({ componentAppId, subscriptionId, outcome, seconds }) => {
        const of = { componentAppId, path: subscriptionId };
        this.count({ kind: 'delivery', ...of, outcome });
        this.count({ kind: 'delivery_time', ...of, outcome: bucketOf(seconds) });
      }),
      onTelemetry('token.exchange', ({ kind, key, outcome }) => {
        const [componentAppId = ''] = key.split('/');
        this.count({ kind: 'refresh', componentAppId, path: kind, outcome });
      }),
    ];
  }

  @Interval('statistics', MINUTE_MS)
  flush(): Promise<void> {
    const failure = 'Counts could not be stored; it is tried again';
    return this.background.tick('statistics', failure, () => this.write());
  }

  @Interval('statistics-few', FEW_EVERY_MS)
  async flushFew(): Promise<void> {
    if (this.counts.size <= FEW) await this.flush();
  }

  @Cron(CronExpression.EVERY_HOUR, { name: 'statistics-retention', waitForCompletion: true })
  sweep(): Promise<void> {
    const failure = 'Old counts could not be removed; tried again in an hour';
    return this.background.tick('statistics-retention', failure, async () => {
      await this.store.remove(
        this.time.nowForTask() - this.config.statisticsRetentionDays * DAY_MS,
      );
    });
  }

  /** Requests have their answers by now, and the database is still open. */
  async beforeApplicationShutdown(): Promise<void> {
    for (const stop of this.stopListening) stop();
    await this.write(STOP_LIMIT_MS).catch((error: unknown) => {
      this.logger.warn('The last counts could not be stored', error);
    });
  }

  private count(counted: Partial<Counted> & Pick<Counted, 'kind' | 'path' | 'outcome'>): void {
    const all = { actor: '', componentAppId: '', authorizerAppId: '', ...counted };
    this.counts.add(all, this.clock.now());
  }

  private async write(limitMs?: number): Promise<void> {
    const taken = this.counts.take();
    if (taken.length === 0) return;
    try {
      await this.store.add(taken, limitMs);
    } catch (error) {
      this.counts.giveBack(taken);
      throw error;
    }
  }
}
