import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { failureKind, type ExchangeFailureKind } from '../token-engine/failure-policy.js';

/** How long the work for a platform pauses after WeChat said that it is too much, or not from here. */
const PAUSE_MS: Partial<Record<ExchangeFailureKind, number>> = {
  rate: 60_000,
  quota: 15 * 60_000,
  ip: 60_000,
};

/**
 * Pauses of the background work, by third-party platform: after a failure of kind quota, rate or
 * ip every further call would fail the same way. Each host keeps its own, in memory: an address is
 * refused to one host, and a limit that others have not met yet costs them the few calls that they
 * have under way. What a service waits for is still tried.
 */
@Injectable()
export class AuthorizerPauses {
  /** When they end, by `Clock.elapsed()`. */
  private readonly pauses = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** Learns from a failed call. */
  notice(componentAppId: string, error: unknown): void {
    const lengthMs = PAUSE_MS[failureKind(error)];
    if (lengthMs === undefined) return;
    const end = this.clock.elapsed() + lengthMs;
    if ((this.pauses.get(componentAppId) ?? 0) < end) this.pauses.set(componentAppId, end);
  }

  /** When the platform's pause ends, in Unix milliseconds; undefined while there is none. */
  until(componentAppId: string): number | undefined {
    const left = (this.pauses.get(componentAppId) ?? 0) - this.clock.elapsed();
    return left > 0 ? Math.ceil(this.clock.now() + left) : undefined;
  }
}
