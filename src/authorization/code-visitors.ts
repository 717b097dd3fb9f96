import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { senderOf } from '../common/source-address.js';
import { Tally } from '../common/tally.js';
import { within } from '../common/time-limit.js';
import type { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { VisitorLimit } from './authorization-limit.js';

/** How visitors may wait for WeChat: each takes the room of a request meanwhile. */
export const VISITOR_WAITS = {
  /** Longest, in milliseconds: an exchange takes 5 s at the most. */
  ms: 6000,
  /** For one code: its visitor reloads the page. */
  perCode: 4,
  /** From one address: people sit behind one. */
  perAddress: 32,
} as const;

/** A person whose browser brings a code. */
export interface Visitor {
  /** As the connection or a trusted proxy names it. */
  address: string;
  /** Whether the click that led here was counted for this code: it is the first of its request. */
  isCounted: boolean;
}

/** There is no result yet; the timer goes on. */
export function codeInProgress(cause?: unknown): HubError {
  return new HubError('authorization_in_progress', 'The authorization is still being processed', {
    status: 503,
    cause,
  });
}

/** Codes that are remembered as counted. */
const COUNTED = 1000;

/** Visitors who bring codes: what they may cost, and how many of them may wait. */
@Injectable()
export class CodeVisitors {
  private readonly limit: VisitorLimit;
  /** What takes the count of a code back, by hash, until the code has a result. */
  private readonly counted = new LRUCache<string, () => void>({ ...atMost(COUNTED) });
  private readonly waiting = new Tally();

  constructor(
    private readonly codes: AuthorizationCodeStore,
    clock: Clock,
  ) {
    this.limit = new VisitorLimit(clock);
  }

  /**
   * Counts a code that is not known yet: it costs a call of WeChat. One that is known is tried when
   * it is due.
   * @throws {TooManyAuthorizationsError} when too many were made up.
   */
  admit(componentAppId: string, codeHash: string, { address, isCounted }: Visitor): void {
    // Another visitor may have brought it a moment ago.
    if (isCounted || this.counted.has(codeHash)) return;
    this.counted.set(codeHash, this.limit.count(componentAppId, address));
  }

  /**
   * Waits for a result as long as a visitor may, if there is room for one more.
   * @throws {HubError} 503 `authorization_in_progress` otherwise.
   */
  async wait<T>(codeHash: string, { address }: Visitor, result: Promise<T>): Promise<T> {
    const keys = { code: `code ${codeHash}`, sender: `sender ${senderOf(address)}` };
    const { ms, perCode, perAddress } = VISITOR_WAITS;
    const isFull =
      this.waiting.of(keys.code) >= perCode || this.waiting.of(keys.sender) >= perAddress;
    if (isFull) {
      result.catch(() => undefined);
      throw codeInProgress();
    }
    for (const key of Object.values(keys)) this.waiting.add(key, 1);
    try {
      return await within(ms, result, () => {
        throw codeInProgress();
      });
    } finally {
      for (const key of Object.values(keys)) this.waiting.add(key, -1);
    }
  }

  /** A code has a result: one that was real has cost its visitor nothing. */
  ended({ codeHash, state }: Pick<AuthorizationCode, 'codeHash' | 'state'>): void {
    if (state === 'done') this.counted.get(codeHash)?.();
    this.counted.delete(codeHash);
  }

  /** The same for codes that had none when their visitors went, whichever host has got it since. */
  async settle(): Promise<void> {
    if (this.counted.size === 0) return;
    for (const row of await this.codes.ended([...this.counted.keys()])) this.ended(row);
  }
}
