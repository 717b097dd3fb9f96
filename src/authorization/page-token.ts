import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { isRecent } from '../common/clock-trust.js';
import { SecretBox } from '../secrets/secret-box.js';

/** How long the links of a page work after it was shown, in milliseconds. */
export const PAGE_LIFE_MS = 15 * 60_000;
const PURPOSE = 'authorization page';

/**
 * What the links of the authorization page carry: that this page was shown a short while ago, by
 * any host. Without it a click costs nothing.
 */
@Injectable()
export class PageToken {
  constructor(
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  make(componentAppId: string): string {
    const shownAt = this.clock.now();
    return `${shownAt.toString(36)}.${this.box.sign(textOf(componentAppId, shownAt), PURPOSE)}`;
  }

  isValid(componentAppId: string, token: string): boolean {
    const [, time = '', signature = ''] = /^([0-9a-z]{1,10})\.([\w-]{43})$/.exec(token) ?? [];
    const shownAt = Number.parseInt(time, 36);
    if (!isRecent(shownAt, PAGE_LIFE_MS, this.clock.now())) return false;
    return this.box.isSigned(textOf(componentAppId, shownAt), PURPOSE, signature);
  }
}

function textOf(componentAppId: string, shownAt: number): string {
  return `${componentAppId} ${shownAt}`;
}
