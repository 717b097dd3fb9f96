import { WechatError } from './wechat-error.js';

/** Times a month that an appid may clear its calls (clear_quota page). */
const CLEARS = 10;

/** How often the calls of an appid were cleared, by appid and month. */
export class QuotaBook {
  private readonly clears = new Map<string, number>();

  /** 48006 after the tenth of a month. */
  clear(appid: string, atMs: number): void {
    const key = `${appid} ${new Date(atMs).toISOString().slice(0, 7)}`;
    const count = (this.clears.get(key) ?? 0) + 1;
    if (count > CLEARS) throw new WechatError(48006);
    this.clears.set(key, count);
  }
}
