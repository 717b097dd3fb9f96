import type { Api } from '../data/api';
import { answerOf } from '../data/api';
import type { components } from '../data/api-types';

/** What `GET /admin/overview` says of a platform. */
export type PlatformState = Overview['platforms'][number];
type Overview = Awaited<ReturnType<typeof readOverview>>;

export function readOverview(api: Api) {
  return answerOf(api.GET('/admin/overview'));
}

export type Level = 'good' | 'warn' | 'bad' | 'none';

/** Pushed every 10 minutes: after so long three were missed. */
/** As the alert and the doctor have it. */
const LATE_REFRESH_SECONDS = 300;
/** A token that is refreshed 10 minutes before its end, and was not. */
const LATE_SECONDS = 5 * 60;

export function ticketLevel({ ticket }: PlatformState): Level {
  if (!ticket || Date.parse(ticket.expiresAt) < Date.now()) return 'bad';
  return ticket.stale ? 'warn' : 'good';
}

export function tokenLevel({ token, ticket }: PlatformState): Level {
  if (!token || token.remainingSeconds <= 0) return ticket || token?.lastError ? 'bad' : 'none';
  return token.lastError || token.remainingSeconds < LATE_SECONDS ? 'warn' : 'good';
}

export function accountsLevel({ accounts }: PlatformState): Level {
  if (accounts.needsReauthorization > 0) return 'bad';
  return accounts.suspended > 0 || accounts.lateSeconds > LATE_REFRESH_SECONDS ? 'warn' : 'good';
}

export function deliveriesLevel({ deliveries, subscriptions }: PlatformState): Level {
  if (subscriptions.failing + subscriptions.unreadable > 0) return 'bad';
  return deliveries.deadOfDay + subscriptions.disabled > 0 ? 'warn' : 'good';
}

/** One line of a chart: the outcomes that it adds up. */
export interface ChartLine {
  /** `overview.chart.<name>` */
  name: string;
  tone: 'good' | 'warn' | 'bad' | 'info';
  /** Null where there is nothing to show. */
  counts: (number | null)[];
}
export type ChartKind = 'push' | 'delivery' | 'refresh' | 'call';
/** What one chart shows. */
export interface ChartData {
  /** `overview.chart.<name>` */
  name: ChartKind | 'pushLatency' | 'deliveryLatency';
  lines: ChartLine[];
  /** What the legend says of each line; without it, the sum of its counts. */
  totals?: (number | null)[];
}
export type Range = 'day' | 'week' | 'month';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const CHINA = 8 * HOUR;
const LENGTH: Record<Range, number> = { day: DAY, week: 7 * DAY, month: 30 * DAY };

/** To which line of which chart an outcome belongs. */
function lineOf(kind: ChartKind, outcome: string): string {
  if (kind === 'delivery') return outcome;
  if (outcome === 'repeated') return 'repeated';
  const good: Record<string, string[]> = {
    push: ['success', 'reply', 'empty'],
    refresh: ['ok', 'success', 'superseded'],
    call: ['0', 'ok'],
  };
  return good[kind]?.includes(outcome) ? 'good' : 'bad';
}
const LINES: Record<ChartKind, [string, ChartLine['tone']][]> = {
  push: [
    ['good', 'good'],
    ['repeated', 'info'],
    ['bad', 'bad'],
  ],
  delivery: [
    ['taken', 'good'],
    ['refused', 'bad'],
    ['unreachable', 'warn'],
  ],
  refresh: [
    ['good', 'good'],
    ['bad', 'bad'],
  ],
  call: [
    ['good', 'good'],
    ['bad', 'bad'],
  ],
};

type Latency = components['schemas']['Statistics']['latencies'][number];

/** Percentiles over time, with nothing where nothing was timed. */
function latencyChart(
  { kind, p50Ms, p99Ms, points }: Latency,
  length: number,
  placeOf: (time: string) => number,
): ChartData {
  const found = new Map(points.map((point) => [placeOf(point.at), point]));
  const countsOf = (of: 'p50Ms' | 'p99Ms') =>
    Array.from({ length }, (_, index) => found.get(index)?.[of] ?? null);
  return {
    name: `${kind}Latency`,
    lines: [
      { name: 'p50', tone: 'info', counts: countsOf('p50Ms') },
      { name: 'p99', tone: 'warn', counts: countsOf('p99Ms') },
    ],
    totals: [p50Ms, p99Ms],
  };
}

/** Counts of a time in equal steps, with a zero where nothing happened. */
export async function readCharts(
  api: Api,
  range: Range,
  component: string | undefined,
): Promise<{ at: number[]; charts: ChartData[] }> {
  const bucket = range === 'month' ? 'day' : 'hour';
  const from = new Date(Date.now() - LENGTH[range]).toISOString();
  const query = { bucket, from, component } as const;
  const answer = await answerOf(api.GET('/admin/statistics', { params: { query } }));
  const step = bucket === 'day' ? DAY : HOUR;
  const shift = bucket === 'day' ? CHINA : 0;
  const begin = Date.parse(answer.from);
  const first = begin - ((begin + shift) % step);
  const length = Math.floor((Date.parse(answer.to) - first) / step) + 1;
  const at = Array.from({ length }, (_, index) => first + index * step);
  const kinds: ChartKind[] = ['push', 'delivery', 'refresh', 'call'];
  const charts = kinds.map((kind) => {
    const lines = LINES[kind].map(([name, tone]) => ({ name, tone, counts: at.map(() => 0) }));
    for (const { outcome, points } of answer.series.filter((one) => one.kind === kind)) {
      const line = lines.find(({ name }) => name === lineOf(kind, outcome));
      for (const point of points) {
        const index = Math.floor((Date.parse(point.at) - first) / step);
        if (line && index in line.counts)
          line.counts[index] = (line.counts[index] ?? 0) + point.count;
      }
    }
    return { name: kind, lines };
  });
  const placeOf = (time: string): number => Math.floor((Date.parse(time) - first) / step);
  const latencies = answer.latencies.map((one) => latencyChart(one, at.length, placeOf));
  return { at, charts: [...charts, ...latencies] };
}

/** How the deliveries of each subscription went in a time, the most first. */
export async function readSplit(api: Api, range: Range, component: string | undefined) {
  const query = { from: new Date(Date.now() - LENGTH[range]).toISOString(), component };
  const answer = await answerOf(api.GET('/admin/statistics/subscriptions', { params: { query } }));
  return answer.subscriptions;
}
