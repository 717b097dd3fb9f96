import type { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';

/**
 * Clicks of one platform's page that lead to WeChat within a minute, on one host. Anybody may
 * click, and each click uses up one call of the platform's daily quota at WeChat.
 */
export const CLICKS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;

/**
 * Codes of one platform within a minute, on one host, that WeChat refused or has still to answer,
 * of those that came back without a request of ours: each costs a call, and anybody can make them
 * up. Who comes from a link is held up by none of them.
 */
export const STRAY_CODES_PER_MINUTE = 60;

/** Too many people clicked or came back, or one did too often. */
export class TooManyAuthorizationsError extends HubError {
  constructor(readonly retryAfterSeconds: number) {
    super('too_many_authorizations', 'Too many authorizations were begun within a minute', {
      status: 429,
      level: 'warn',
      details: { retryAfterSeconds },
    });
  }
}

/** Counts what happened within the last minute, by platform. */
export class MinuteLimit {
  private readonly counted = new Map<string, number[]>();

  constructor(
    private readonly clock: Clock,
    private readonly perMinute: number,
  ) {}

  /** Counts one, and gives the function that takes it back. @throws {TooManyAuthorizationsError} */
  count(componentAppId: string): () => void {
    const now = this.clock.now();
    const recent = (this.counted.get(componentAppId) ?? []).filter((at) => at > now - MINUTE_MS);
    this.counted.set(componentAppId, recent);
    const [oldest] = recent;
    if (oldest !== undefined && recent.length >= this.perMinute) {
      throw new TooManyAuthorizationsError(Math.ceil((oldest + MINUTE_MS - now) / 1000));
    }
    recent.push(now);
    return () => {
      const recorded = this.counted.get(componentAppId) ?? [];
      const index = recorded.indexOf(now);
      if (index >= 0) recorded.splice(index, 1);
    };
  }
}
