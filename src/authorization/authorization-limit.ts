import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import type { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { senderOf } from '../common/source-address.js';
import { MINUTE_MS } from '../common/times.js';

/**
 * What visitors may cost, on one host. Anybody may click, and make up codes that come back: each
 * click, and each code that WeChat refuses or has still to answer, is a call of the platform's daily
 * quota at WeChat.
 */
export const VISITOR_LIMITS = {
  /** Of one address at once: people who go back and forth, or sit behind one address. */
  burst: 20,
  /** An address may cost one more after so long, in milliseconds: 480 a day. */
  refillMs: 3 * MINUTE_MS,
  /** Of a platform within a minute, by all addresses together. */
  perMinute: 60,
  /** How many of those are left to addresses that have cost little lately. */
  keptForOthers: 30,
  /** How little that is: what is no more than this short of a whole burst. */
  little: 2,
} as const;

/** Addresses that are remembered; the one not seen for longest is forgotten. */
const ADDRESSES = 20_000;

/** Too many people clicked or came back, or one did too often. */
export class TooManyAuthorizationsError extends HubError {
  constructor(retryAfterSeconds: number) {
    super('too_many_authorizations', 'Too many authorizations were begun; wait a little', {
      status: 429,
      level: 'warn',
      details: { retryAfterSeconds },
    });
  }
}

/** What an address may still cost at a time, by `Clock.elapsed()`. */
interface Allowance {
  left: number;
  at: number;
}

/**
 * Counts what visitors cost a platform: by address first, so that one who exceeds it stops only
 * himself, then all together.
 */
export class VisitorLimit {
  private readonly allowances = new LRUCache<string, Allowance>({ ...atMost(ADDRESSES) });
  private readonly lastMinute = new Map<string, number[]>();

  constructor(private readonly clock: Clock) {}

  /**
   * Counts one, and gives the function that takes it back.
   * @param address of the visitor, as the connection or a trusted proxy names it.
   * @throws {TooManyAuthorizationsError}
   */
  count(componentAppId: string, address: string): () => void {
    const now = this.clock.elapsed();
    const key = `${componentAppId} ${senderOf(address)}`;
    const { burst, refillMs, little } = VISITOR_LIMITS;
    const left = this.leftOf(key, now);
    if (left < 1) throw new TooManyAuthorizationsError(seconds((1 - left) * refillMs));
    const recent = this.recentOf(componentAppId, now);
    this.checkAll(recent, left > burst - little, now);
    recent.push(now);
    this.allowances.set(key, { left: left - 1, at: now });
    return () => {
      const index = this.recentOf(componentAppId, this.clock.elapsed()).indexOf(now);
      if (index >= 0) this.lastMinute.get(componentAppId)?.splice(index, 1);
      const kept = this.allowances.get(key);
      if (kept) this.allowances.set(key, { ...kept, left: Math.min(burst, kept.left + 1) });
    };
  }

  private checkAll(recent: number[], costLittle: boolean, now: number): void {
    const { perMinute, keptForOthers } = VISITOR_LIMITS;
    const over = recent.length - (costLittle ? perMinute : perMinute - keptForOthers);
    const last = recent[over];
    if (last !== undefined) throw new TooManyAuthorizationsError(seconds(last + MINUTE_MS - now));
  }

  private leftOf(key: string, now: number): number {
    const { burst, refillMs } = VISITOR_LIMITS;
    const known = this.allowances.get(key);
    return known ? Math.min(burst, known.left + (now - known.at) / refillMs) : burst;
  }

  /** Times within the last minute, oldest first. */
  private recentOf(componentAppId: string, now: number): number[] {
    const times = this.lastMinute.get(componentAppId) ?? [];
    const recent = times.filter((at) => at > now - MINUTE_MS);
    this.lastMinute.set(componentAppId, recent);
    return recent;
  }
}

function seconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000));
}
