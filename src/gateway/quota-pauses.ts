import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import type { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { HOUR_MS, MINUTE_MS, nextQuotaDay } from '../common/times.js';

/** Calls of a day may be given back early (clear_quota, by anybody): a look once an hour finds out. */
const LONGEST_MS = HOUR_MS;
/** Pairs of an owner and a path that are remembered. */
const REMEMBERED = 10_000;

/** How long an errcode says that a path is of no use, in milliseconds from `now`; 0 for none. */
export function pauseOf(errcode: number, now: number): number {
  // Too many calls today, too many this minute.
  if (errcode === 45009) return Math.min(nextQuotaDay(now) - now, LONGEST_MS);
  return errcode === 45011 ? MINUTE_MS : 0;
}

/** Paths that WeChat refuses for a while, so that no call is wasted; of this process. */
export class QuotaPauses {
  private readonly pauses = new LRUCache<string, { errcode: number; until: number }>({
    ...atMost(REMEMBERED),
  });

  constructor(private readonly clock: Clock) {}

  /** Remembers what an answer says. @param owner the account or platform whose calls are counted. */
  note(owner: string, path: string, errcode: number): void {
    const now = this.clock.now();
    const ms = pauseOf(errcode, now);
    if (ms > 0) this.pauses.set(`${owner} ${path}`, { errcode, until: now + ms });
  }

  /** Forgets the pauses of an owner whose calls were given back. */
  forget(owner: string): void {
    for (const key of this.pauses.keys()) {
      if (key.startsWith(`${owner} `)) this.pauses.delete(key);
    }
  }

  /** @throws {HubError} 429 `wechat_quota_spent` while a path is refused. */
  check(owner: string, path: string): void {
    const key = `${owner} ${path}`;
    const pause = this.pauses.get(key);
    if (!pause) return;
    const ms = pause.until - this.clock.now();
    // A clock that was set back would make it longer than any is.
    if (ms <= 0 || ms > LONGEST_MS) {
      this.pauses.delete(key);
      return;
    }
    const { errcode } = pause;
    throw new HubError('wechat_quota_spent', `WeChat refuses this path for now (${errcode})`, {
      status: 429,
      details: { errcode, retryAfterSeconds: Math.ceil(ms / 1000) },
    });
  }
}
