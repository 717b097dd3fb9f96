import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { Clock } from '../common/clock.js';
import { within } from '../common/time-limit.js';
import type { Outcome } from './push.js';
import { leftOf, PUSH_BUDGET } from './push-budget.js';
import { PushStore, type RecordedPush } from './push.store.js';

/** How often it is looked whether another host has found it. */
const POLL_MS = 100;
/** Answers that are remembered, and for how long, in milliseconds: beyond it all are in the rows. */
const REMEMBERED = { ...atMost(10_000), ttl: 10_000 };

/** What WeChat is answered. */
export interface PushAnswer {
  outcome: Outcome;
  /** The passive reply, not encrypted yet, where that is the outcome. */
  reply?: string;
}

/** Finds the answers that take time: each is looked for once, however often its push comes. */
@Injectable()
export class PushAnswers {
  private readonly logger = new Logger(PushAnswers.name);
  private readonly answers = new LRUCache<string, Promise<PushAnswer>>(REMEMBERED);

  constructor(
    private readonly store: PushStore,
    private readonly clock: Clock,
  ) {}

  /**
   * The answer to a push that is new: what `finding` gives in time, else `outcome`.
   * @param arrived when it arrived, by `performance.now()`.
   */
  inTime(
    id: string,
    outcome: Outcome,
    finding: Promise<string | undefined>,
    arrived: number,
  ): Promise<PushAnswer> {
    const answer = this.answerOf(id, outcome, finding, arrived);
    this.answers.set(id, answer);
    return answer;
  }

  /**
   * The answer to a push that was recorded before: that of the first one.
   * @param isAwaited whether a host still waits for a reply to it; false only behind a reply's storing.
   */
  async repeat(
    first: RecordedPush,
    isAwaited: () => Promise<boolean>,
    arrived: number,
  ): Promise<PushAnswer> {
    const { id, outcome } = first;
    // What was answered first is no longer the answer where a late result is in the row.
    const underWay = first.reply === null ? this.answers.get(id) : undefined;
    const leftMs = leftOf(PUSH_BUDGET.repeatedBy, arrived);
    if (underWay) return within(leftMs, underWay, () => ({ outcome }));
    const found = this.replyTo(first, isAwaited, arrived).catch((error: unknown) => {
      this.logger.warn('A repetition is answered without a reply that could not be read', error);
      return undefined;
    });
    const reply = await within(leftMs, found, () => undefined);
    return reply === undefined ? { outcome } : { outcome: 'reply', reply };
  }

  private async answerOf(
    id: string,
    outcome: Outcome,
    finding: Promise<string | undefined>,
    arrived: number,
  ): Promise<PushAnswer> {
    try {
      const limit = leftOf(PUSH_BUDGET.replyAwaitedUntil, arrived);
      const reply = await within(limit, finding, () => undefined);
      if (reply === undefined) return { outcome };
      // What the row has is not kept here as well: replies may be large.
      if (await this.stored(id, reply, arrived)) this.answers.delete(id);
      return { outcome: 'reply', reply };
    } catch (error) {
      this.logger.warn('A reply could not be made; the push is answered without', error);
      return { outcome };
    }
  }

  private async stored(id: string, reply: string, arrived: number): Promise<boolean> {
    const late = (): never => {
      throw new Error('The reply was not stored in time');
    };
    try {
      const limit = leftOf(PUSH_BUDGET.replyStoredBy, arrived);
      await within(limit, this.store.keepReply(id, reply), late);
      return true;
    } catch (error) {
      // The user gets it all the same.
      this.logger.warn('A reply was not stored: a repetition may be answered otherwise', error);
      return false;
    }
  }

  /** What the row has, or will have when another host has stored it. */
  private async replyTo(
    first: RecordedPush,
    isAwaited: () => Promise<boolean>,
    arrived: number,
  ): Promise<string | undefined> {
    const stored = this.store.openReply(first);
    if (stored !== null) return stored;
    const inTime = (): boolean =>
      this.clock.now() < first.receivedAt + PUSH_BUDGET.replyStoredBy &&
      leftOf(PUSH_BUDGET.repeatedBy, arrived) > 0;
    for (;;) {
      // Before the reply is looked for: one that is stored by the end of the wait is found. What cannot
      // be answered is no end.
      const goesOn = inTime() && (await isAwaited().catch(() => true));
      const reply = await this.store.replyOf(first.id);
      if (reply !== undefined || !goesOn) return reply;
      await delay(POLL_MS);
    }
  }
}
