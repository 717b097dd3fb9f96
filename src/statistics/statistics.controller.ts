import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Clock } from '../common/clock.js';
import { DAY_MS, HOUR_MS, isoTime } from '../common/times.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { HubError } from '../common/hub-error.js';
import { timeQuery, timeView } from '../http/field-schemas.js';
import { latencyOf, type Latency } from './latency.js';
import { StatisticStore, type Group, type Sum } from './statistic.store.js';

/** Longest answers in rows or points: a request for more is cut, or refused. */
const MOST_ROWS = 1000;
const MOST_POINTS = 50_000;
/** Longest time for hours, in days. */
const DAYS_OF_HOURS = 31;

const name = z.string().min(1).max(128).optional();
const KINDS = ['call', 'push', 'delivery', 'refresh'] as const;
const USAGE_GROUPS = ['actor', 'component', 'account', 'path', 'errcode', 'hour', 'day'] as const;
const COLUMN_OF: Record<(typeof USAGE_GROUPS)[number], Group> = {
  actor: 'actor',
  component: 'componentAppId',
  account: 'authorizerAppId',
  path: 'path',
  errcode: 'outcome',
  hour: 'hour',
  day: 'day',
};

const usageQuery = z.object({
  actor: name.describe('`admin`, or `key:` and the id of an API key'),
  component: name,
  account: name,
  path: name.describe('Without a slash in front'),
  errcode: name,
  from: timeQuery.optional().describe('30 days ago where it is left out'),
  to: timeQuery.optional(),
  group: z
    .string()
    .default('path')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(USAGE_GROUPS)).max(USAGE_GROUPS.length))
    .describe(`Separated by commas: ${USAGE_GROUPS.join(', ')}. A day begins at midnight in China`),
  limit: z.coerce.number().int().min(1).max(MOST_ROWS).default(100),
});
const usageView = z
  .object({
    from: timeView,
    to: timeView,
    rows: z.array(
      z.object({
        actor: z.string().optional(),
        componentAppId: z.string().optional(),
        authorizerAppId: z.string().optional().describe('Empty for calls of the platform itself'),
        path: z.string().optional().describe('`other`: more than 200 paths were called in an hour'),
        errcode: z.string().optional().describe("WeChat's, 0 for none; or the hub's code"),
        hour: timeView.optional(),
        day: timeView.optional(),
        calls: z.int(),
      }),
    ),
  })
  .meta({ id: 'Usage' });

/** What is timed. */
const TIMED = ['push', 'delivery'] as const;
const TIMES = { push: 'push_time', delivery: 'delivery_time' } as const;
const latencyView = z
  .object({
    count: z.int(),
    p50Ms: z.int().nullable().describe('Half were not slower; null where there were none'),
    p99Ms: z.int().nullable().describe('One in a hundred was slower; 15000 is that or more'),
  })
  .meta({ id: 'Latency' }) satisfies z.ZodType<Latency>;

const statisticsQuery = z.object({
  kind: z.enum(KINDS).optional(),
  component: name,
  bucket: z.enum(['hour', 'day']).default('hour'),
  from: timeQuery.optional().describe('A day ago for hours, 30 days for days'),
  to: timeQuery.optional(),
});
const statisticsView = z
  .object({
    from: timeView,
    to: timeView,
    series: z.array(
      z.object({
        kind: z.enum(KINDS),
        outcome: z.string().describe("WeChat's errcode, or a word"),
        points: z
          .array(z.object({ at: timeView, count: z.int() }))
          .describe('By time; without those of count 0'),
      }),
    ),
    latencies: z.array(
      latencyView.extend({
        kind: z
          .enum(TIMED)
          .describe('`push`: until WeChat had its answer; `delivery`: the call of a target'),
        points: z
          .array(latencyView.extend({ at: timeView }))
          .describe('By time; without those of count 0'),
      }),
    ),
  })
  .meta({ id: 'Statistics' });

const splitQuery = z.object({
  component: name,
  from: timeQuery.optional().describe('A day ago where it is left out'),
  to: timeQuery.optional(),
});
const splitView = z
  .object({
    from: timeView,
    to: timeView,
    subscriptions: z.array(
      z.object({
        id: z.string().describe('Of the subscription, which may be gone'),
        taken: z.int(),
        refused: z.int(),
        unreachable: z.int(),
        latency: latencyView,
      }),
    ),
  })
  .meta({ id: 'SubscriptionStatistics' });
type SplitView = z.infer<typeof splitView>;

const FROM = '2026-11-22T08:00:00.000Z';
const TO = '2026-11-23T08:00:00.000Z';
const LATENCY: Latency = { count: 42, p50Ms: 12, p99Ms: 48 };

/** `/admin/usage`, `/admin/statistics`: what was called, and how much happened. */
@ApiTags('statistics')
@ApiBearer()
@Controller('admin')
export class StatisticsController {
  constructor(
    private readonly store: StatisticStore,
    private readonly clock: Clock,
  ) {}

  @Get('usage')
  @Scope('admin:read')
  @ApiOperation({
    operationId: 'getUsage',
    summary: 'Calls by the proxy, added up by what is asked for, the most first',
    description:
      'Counted by the hour, and stored once a minute. Kept for STATISTICS_RETENTION_DAYS.',
  })
  @ApiJson(usageView, { from: FROM, to: TO, rows: [{ path: 'wxa/getwxacode', calls: 42 }] })
  async usage(
    @Query({ schema: usageQuery }) query: z.output<typeof usageQuery>,
  ): Promise<z.infer<typeof usageView>> {
    const { from, to } = this.range(query, 30 * DAY_MS);
    const { component, account, errcode, actor, path, limit } = query;
    const sums = await this.store.sums({
      kinds: ['call'],
      actor,
      componentAppId: component,
      authorizerAppId: account,
      path: path?.toLowerCase(),
      outcome: errcode,
      from,
      to,
      groups: [...new Set(query.group)].map((group) => COLUMN_OF[group]),
      limit,
    });
    const rows = sums.map(({ count, hour, day, outcome, ...rest }) => ({
      ...rest,
      ...(outcome !== undefined && { errcode: outcome }),
      ...(hour !== undefined && { hour: isoTime(hour) }),
      ...(day !== undefined && { day: isoTime(day) }),
      calls: count,
    }));
    return { from: isoTime(from), to: isoTime(to), rows };
  }

  @Get('statistics')
  @Scope('admin:read')
  @ApiOperation({
    operationId: 'getStatistics',
    summary: 'Calls, pushes, deliveries and refreshes by the hour or the day, for charts',
    description:
      'Calls are those by the proxy; deliveries are attempts. A day begins at midnight in China. ' +
      'Percentiles come from times that are counted in buckets: between 5 ms and 15 s they are ' +
      'right to within a factor of 3.',
  })
  @ApiHubError(400, 'range_too_long', `Hours are shown for ${DAYS_OF_HOURS} days at the most`)
  @ApiJson(statisticsView, {
    from: FROM,
    to: TO,
    series: [{ kind: 'push', outcome: 'success', points: [{ at: FROM, count: 42 }] }],
    latencies: [
      { kind: 'push', ...LATENCY, points: [{ at: FROM, ...LATENCY }] },
      { kind: 'delivery', count: 0, p50Ms: null, p99Ms: null, points: [] },
    ],
  })
  async statistics(
    @Query({ schema: statisticsQuery }) query: z.output<typeof statisticsQuery>,
  ): Promise<z.infer<typeof statisticsView>> {
    const { kind, component, bucket } = query;
    const { from, to } = this.range(query, bucket === 'hour' ? DAY_MS : 30 * DAY_MS);
    if (bucket === 'hour' && to - from > DAYS_OF_HOURS * DAY_MS) {
      throw new HubError('range_too_long', 'Ask for a shorter time, or for bucket=day', {
        status: 400,
      });
    }
    const timed = TIMED.filter((one) => kind === undefined || kind === one);
    const kinds = [...(kind ? [kind] : KINDS), ...timed.map((one) => TIMES[one])];
    const all = await this.store.sums({
      kinds,
      componentAppId: component,
      from,
      to,
      groups: ['kind', 'outcome', bucket],
      limit: MOST_POINTS,
    });
    const sums = all.filter((sum) => !sum.kind?.endsWith('_time'));
    const at = (sum: Sum): number => sum[bucket] ?? 0;
    return {
      from: isoTime(from),
      to: isoTime(to),
      series: grouped(sums, (sum) => `${sum.kind} ${sum.outcome}`).map((some) => ({
        kind: some[0]?.kind as (typeof KINDS)[number],
        outcome: some[0]?.outcome ?? '',
        points: some
          .toSorted((one, other) => at(one) - at(other))
          .map((sum) => ({ at: isoTime(at(sum)), count: sum.count })),
      })),
      latencies: timed.map((one) => ({
        kind: one,
        ...latenciesOf(all, TIMES[one], at),
      })),
    };
  }

  @Get('statistics/subscriptions')
  @Scope('admin:read')
  @ApiOperation({
    operationId: 'getSubscriptionStatistics',
    summary: 'Attempts of deliveries by subscription, the most first',
  })
  @ApiJson(splitView, {
    from: FROM,
    to: TO,
    subscriptions: [
      {
        id: '01a2035a-4b1b-71a2-a58c-ef70dfcc6d9f',
        taken: 42,
        refused: 0,
        unreachable: 0,
        latency: LATENCY,
      },
    ],
  })
  async bySubscription(
    @Query({ schema: splitQuery }) query: z.output<typeof splitQuery>,
  ): Promise<SplitView> {
    const { from, to } = this.range(query, DAY_MS);
    const sums = await this.store.sums({
      kinds: ['delivery', 'delivery_time'],
      componentAppId: query.component,
      from,
      to,
      groups: ['path', 'kind', 'outcome'],
      limit: MOST_POINTS,
    });
    const subscriptions = grouped(sums, ({ path }) => path).map((all) => {
      const times = all.filter(({ kind }) => kind === 'delivery_time');
      const of = (outcome: string): number =>
        all.find((one) => one.kind === 'delivery' && one.outcome === outcome)?.count ?? 0;
      return {
        id: all[0]?.path ?? '',
        taken: of('taken'),
        refused: of('refused'),
        unreachable: of('unreachable'),
        latency: latencyOfSums(times),
      };
    });
    const total = (one: SplitView['subscriptions'][number]): number =>
      one.taken + one.refused + one.unreachable;
    return {
      from: isoTime(from),
      to: isoTime(to),
      subscriptions: subscriptions
        .toSorted((one, other) => total(other) - total(one))
        .slice(0, MOST_ROWS),
    };
  }

  /** The hours that are asked for; the one of `from` is whole. */
  private range(
    asked: { from?: string; to?: string },
    usual: number,
  ): { from: number; to: number } {
    const to = asked.to === undefined ? this.clock.now() : Date.parse(asked.to);
    const from = asked.from === undefined ? to - usual : Date.parse(asked.from);
    return { from: from - (from % HOUR_MS), to };
  }
}

function grouped(sums: Sum[], keyOf: (sum: Sum) => unknown): Sum[][] {
  const groups = new Map<unknown, Sum[]>();
  for (const sum of sums) {
    const group = groups.get(keyOf(sum));
    if (group) group.push(sum);
    else groups.set(keyOf(sum), [sum]);
  }
  return [...groups.values()];
}

/** Of rows that are about times, whichever hours and platforms they are of. */
function latencyOfSums(sums: Sum[]): Latency {
  const counts = new Map<string, number>();
  for (const { outcome = '', count } of sums) {
    counts.set(outcome, (counts.get(outcome) ?? 0) + count);
  }
  return latencyOf(counts);
}

/** In all, and by time. */
function latenciesOf(
  all: Sum[],
  kind: (typeof TIMES)[keyof typeof TIMES],
  at: (sum: Sum) => number,
): Latency & { points: (Latency & { at: string })[] } {
  const sums = all.filter((sum) => sum.kind === kind);
  const points = grouped(sums, at)
    .map((some) => ({ time: at(some[0] as Sum), ...latencyOfSums(some) }))
    .toSorted((one, other) => one.time - other.time)
    .map(({ time, ...latency }) => ({ at: isoTime(time), ...latency }));
  return { ...latencyOfSums(sums), points };
}
