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
   * @param awaitsReply whether a host still waits for a reply to it: what it asks is looked at before
   * the reply is, so one that is stored by the end of the wait is never missed.
   */
  async repeat(
    first: RecordedPush,
    awaitsReply: () => boolean | Promise<boolean>,
    arrived: number,
  ): Promise<PushAnswer> {
    const { id, outcome } = first;
    const stored = this.store.openReply(first);
    if (stored !== null) return { outcome, reply: stored };
    const awaited = this.answers.get(id);
    const leftMs = leftOf(PUSH_BUDGET.repeatedBy, arrived);
    if (awaited) return within(leftMs, awaited, () => ({ outcome }));
    const found = this.awaitOtherHost(first, awaitsReply, arrived).catch(() => undefined);
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
      const awaited = leftOf(PUSH_BUDGET.replyAwaitedUntil, arrived);
      const reply = await within(awaited, finding, () => undefined);
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

  private async awaitOtherHost(
    first: RecordedPush,
    awaitsReply: () => boolean | Promise<boolean>,
    arrived: number,
  ): Promise<string | undefined> {
    const inTime = (): boolean =>
      this.clock.now() < first.receivedAt + PUSH_BUDGET.replyStoredBy &&
      leftOf(PUSH_BUDGET.repeatedBy, arrived) > 0;
    while (inTime()) {
      const awaited = await awaitsReply();
      const reply = await this.store.replyOf(first.id);
      if (reply !== undefined || !awaited) return reply;
      await delay(POLL_MS);
    }
    return undefined;
  }
}
