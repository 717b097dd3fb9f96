import { HOUR_MS } from '../common/times.js';

/** What happened; of a `…_time` how long it took, by the bucket. */
export type StatisticKind =
  'call' | 'push' | 'delivery' | 'refresh' | 'push_time' | 'delivery_time';

/** What is counted, by the columns of `statistic`. */
export interface Counted {
  kind: StatisticKind;
  actor: string;
  componentAppId: string;
  authorizerAppId: string;
  path: string;
  outcome: string;
}

export interface HourlyCount extends Counted {
  /** Its beginning, in Unix milliseconds. */
  hour: number;
  count: number;
}

/** Stands for what is too much to be counted by itself. */
export const OTHER = 'other';
/** Paths of a kind that are counted by themselves within an hour: callers choose them. */
const PATHS = 200;
/** Counts that are held; beyond it accounts and paths are added up. */
const HELD = 20_000;

/** Counts in memory until they are written; of a bounded number, whatever is called. */
export class HourlyCounts {
  private readonly counts = new Map<string, HourlyCount>();
  private readonly paths = new Map<Counted['kind'], Set<string>>();
  private pathsOf = 0;

  /** How many rows are to be added to. */
  get size(): number {
    return this.counts.size;
  }

  add(counted: Counted, now: number): void {
    const hour = now - (now % HOUR_MS);
    this.sum(counted, this.pathFor(counted, hour), hour, 1);
  }

  /** Everything that was counted; from then on it is the caller's. */
  take(): HourlyCount[] {
    const all = [...this.counts.values()];
    this.counts.clear();
    return all;
  }

  /** Takes back what could not be written. */
  giveBack(counts: HourlyCount[]): void {
    for (const one of counts) this.sum(one, one.path, one.hour, one.count);
  }

  /** Nearly all were counted before: no object is made for them. */
  private sum(counted: Counted, path: string, hour: number, count: number): void {
    const key = keyOf(counted, path, hour);
    const found = this.counts.get(key);
    if (found) found.count += count;
    else if (this.counts.size < HELD || (path === OTHER && counted.authorizerAppId === '')) {
      this.counts.set(key, { ...counted, path, hour, count });
    } else this.sum({ ...counted, authorizerAppId: '' }, OTHER, hour, count);
  }

  private pathFor({ kind, path }: Counted, hour: number): string {
    if (hour !== this.pathsOf) {
      this.paths.clear();
      this.pathsOf = hour;
    }
    const known = this.paths.get(kind);
    if (known?.has(path)) return path;
    // The databases disagree whether case makes a difference.
    const plain = path.replace(/^\/+/, '').toLowerCase().slice(0, 128);
    if (known?.has(plain)) return plain;
    if (known && known.size >= PATHS) return OTHER;
    this.paths.set(kind, (known ?? new Set()).add(plain));
    return plain;
  }
}

function keyOf(c: Counted, path: string, hour: number): string {
  return `${hour} ${c.kind} ${c.actor} ${c.componentAppId} ${c.authorizerAppId} ${path} ${c.outcome}`;
}
