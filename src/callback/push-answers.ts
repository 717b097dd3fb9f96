import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../common/clock.js';
import { within } from '../common/time-limit.js';
import type { ArrivedPush } from './arrived-push.js';
import type { Recorded } from './event.recorder.js';
import { EventReplies } from './event-replies.js';
import type { Outcome } from './push-url.js';

/**
 * A reply counts if it is found within so many milliseconds of the push's arrival, which is the limit
 * of the search; below, it is waited for a little longer, so that none in time is missed.
 */
const FOUND_BY_MS = 4500;
/** Milliseconds after the arrival until which it is waited for: WeChat waits 5 s. */
const REPLY_BY_MS = 4600;
/** … and until which it is waited that the reply is stored. */
const STORED_BY_MS = 4750;
/** … and until which a repetition waits for what the first one is answered. */
const REPEAT_BY_MS = 4500;
/** How often it is looked whether another host has found it. */
const POLL_MS = 100;
/** Answers that are remembered, and for how long, in milliseconds: beyond it all are in the rows. */
const REMEMBERED = { max: 10_000, ttl: 10_000 };

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
    private readonly replies: EventReplies,
    private readonly clock: Clock,
  ) {}

  /**
   * The answer to a push that is new: what `findReply` gives in time, else `outcome`.
   * @param findReply is told the milliseconds that it has.
   * @param arrived when it arrived, by `performance.now()`.
   */
  find(
    push: ArrivedPush,
    outcome: Outcome,
    findReply: (leftMs: number) => Promise<string | undefined>,
    arrived: number,
  ): Promise<PushAnswer> {
    const answer = this.findOnce(push.id, outcome, findReply, arrived);
    this.answers.set(push.id, answer);
    return answer;
  }

  /**
   * The answer to a push that was recorded before: that of the first one.
   * @param mayReply whether another host may be waiting for a reply to it.
   */
  async repeat(first: Recorded, mayReply: boolean, arrived: number): Promise<PushAnswer> {
    const { id, outcome } = first;
    if (first.reply !== null) return { outcome, reply: this.replies.open(id, first.reply) };
    const inHand = this.answers.get(id);
    if (inHand) return within(left(arrived, REPEAT_BY_MS), inHand, () => ({ outcome }));
    if (!mayReply) return { outcome };
    const found = this.awaitOtherHost(first, arrived).catch(() => undefined);
    const reply = await within(left(arrived, REPEAT_BY_MS), found, () => undefined);
    return reply === undefined ? { outcome } : { outcome: 'reply', reply };
  }

  private async findOnce(
    id: string,
    outcome: Outcome,
    findReply: (leftMs: number) => Promise<string | undefined>,
    arrived: number,
  ): Promise<PushAnswer> {
    try {
      const finding = findReply(left(arrived, FOUND_BY_MS));
      const reply = await within(left(arrived, REPLY_BY_MS), finding, () => undefined);
      if (reply === undefined) return { outcome };
      // What stands in the row is not kept here as well: replies may be large.
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
      await within(left(arrived, STORED_BY_MS), this.replies.store(id, reply), late);
      return true;
    } catch (error) {
      // The user gets it all the same.
      this.logger.warn('A reply was not stored: a repetition may be answered otherwise', error);
      return false;
    }
  }

  /** While the first one may still be waiting for its reply somewhere. */
  private async awaitOtherHost(first: Recorded, arrived: number): Promise<string | undefined> {
    const undecided = (): boolean =>
      this.clock.now() < first.receivedAt + STORED_BY_MS && left(arrived, REPEAT_BY_MS) > 0;
    while (undecided()) {
      await delay(POLL_MS);
      const reply = await this.replies.find(first.id);
      if (reply !== undefined) return reply;
    }
    return undefined;
  }
}

function left(arrived: number, limit: number): number {
  return Math.max(0, arrived + limit - performance.now());
}
