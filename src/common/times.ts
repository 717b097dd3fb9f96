export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Clocks in China, by which WeChat's days go, are ahead of UTC by this, in milliseconds. */
export const CHINA_OFFSET_MS = 8 * HOUR_MS;

/** The next midnight in China, when WeChat starts a new day of calls; Unix milliseconds. */
export function nextQuotaDay(now: number): number {
  const day = Math.floor((now + CHINA_OFFSET_MS) / DAY_MS) + 1;
  return day * DAY_MS - CHINA_OFFSET_MS;
}

/** Unix milliseconds in ISO 8601, in UTC; null stays null. */
export function isoTime(ms: number): string;
export function isoTime(ms: number | null): string | null;
export function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** Unix seconds likewise: WeChat's times. */
export function isoTimeOfSeconds(seconds: number): string;
export function isoTimeOfSeconds(seconds: number | null): string | null;
export function isoTimeOfSeconds(seconds: number | null): string | null {
  return seconds === null ? null : isoTime(seconds * 1000);
}

/** The Unix seconds that WeChat writes as a text; undefined where it is no such time. */
export function unixSeconds(text: unknown): number | undefined {
  return typeof text === 'string' && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** Whole milliseconds since a moment by `performance.now()`. */
export function millisecondsSince(moment: number): number {
  return Math.round(performance.now() - moment);
}
