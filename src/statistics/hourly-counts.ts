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

  add(counted: Counted, now: number): void {
    const hour = now - (now % HOUR_MS);
    const path = this.pathFor(counted, hour);
    const found = this.counts.get(keyOf(counted, path, hour));
    // Nearly all are of those that were counted before: these make nothing.
    if (found) found.count += 1;
    else this.sum({ ...counted, path, hour, count: 1 });
  }

  /** Everything that was counted; from then on it is the caller's. */
  take(): HourlyCount[] {
    const all = [...this.counts.values()];
    this.counts.clear();
    return all;
  }

  /** Takes back what could not be written. */
  giveBack(counts: HourlyCount[]): void {
    for (const count of counts) this.sum(count);
  }

  private sum(added: HourlyCount): void {
    const key = keyOf(added, added.path, added.hour);
    const found = this.counts.get(key);
    if (found) found.count += added.count;
    else if (this.counts.size < HELD || (added.path === OTHER && added.authorizerAppId === '')) {
      this.counts.set(key, { ...added });
    } else this.sum({ ...added, authorizerAppId: '', path: OTHER });
  }

  private pathFor({ kind, path }: Counted, hour: number): string {
    if (hour !== this.pathsOf) {
      this.paths.clear();
      this.pathsOf = hour;
    }
    // The databases disagree whether case makes a difference.
    const plain = path.replace(/^\/+/, '').toLowerCase().slice(0, 128);
    const known = this.paths.get(kind);
    if (known?.has(plain)) return plain;
    if (known && known.size >= PATHS) return OTHER;
    this.paths.set(kind, (known ?? new Set()).add(plain));
    return plain;
  }
}

function keyOf(c: Counted, path: string, hour: number): string {
  return `${hour} ${c.kind} ${c.actor} ${c.componentAppId} ${c.authorizerAppId} ${path} ${c.outcome}`;
}
