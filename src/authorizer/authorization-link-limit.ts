import type { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';

/**
 * Clicks of one platform's page that lead to WeChat within a minute, on one host. Anybody may
 * click, and each click uses up one call of the platform's daily quota at WeChat.
 */
export const CLICKS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;

/** Too many people clicked, or one did too often. */
export class TooManyClicksError extends HubError {
  constructor(readonly retryAfterSeconds: number) {
    super('too_many_authorizations', 'Too many authorizations were begun within a minute', {
      status: 429,
      level: 'warn',
      details: { retryAfterSeconds },
    });
  }
}

/** Counts the clicks of the last minute, by platform. */
export class ClickLimit {
  private readonly clicks = new Map<string, number[]>();

  constructor(private readonly clock: Clock) {}

  /** @throws {TooManyClicksError} */
  count(componentAppId: string): void {
    const now = this.clock.now();
    const recent = (this.clicks.get(componentAppId) ?? []).filter((at) => at > now - MINUTE_MS);
    this.clicks.set(componentAppId, recent);
    const [oldest] = recent;
    if (oldest !== undefined && recent.length >= CLICKS_PER_MINUTE) {
      throw new TooManyClicksError(Math.ceil((oldest + MINUTE_MS - now) / 1000));
    }
    recent.push(now);
  }
}
