import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import type { Push } from '../callback/push.js';
import { drain, WorkUnderWay } from '../common/background.js';
import { Clock } from '../common/clock.js';
import type { DeliveryJob } from './delivery.job.js';
import { DeliveryStore } from './delivery.store.js';
import { AttemptService, type RunCause } from './attempt.service.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { MAX_BUDGET_MS, type Subscription } from '../subscription/subscription.js';

/** Messages whose responder has not been called yet: they are, as soon as they are recorded. */
const MAX_EXPECTED = 10_000;

/** Calls the responder of a message while WeChat waits for the answer. */
@Injectable()
export class ResponderService implements OnModuleDestroy {
  private readonly logger = new Logger(ResponderService.name);
  private readonly expected = new LRUCache<string, DeliveryJob>({ ...atMost(MAX_EXPECTED) });
  private readonly underWay = new WorkUnderWay();
  /** By push: what is to be done when its answer goes to WeChat. */
  private readonly leaving = new Map<string, () => void>();
  private readonly stop = new AbortController();

  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly store: DeliveryStore,
    private readonly attempts: AttemptService,
    private readonly clock: Clock,
  ) {}

  /**
   * Whether a host has a responder asked about a push, and nothing of it is on record yet: until then a
   * reply may come.
   */
  isReplyAwaited(pushId: string): Promise<boolean> {
    return this.store.isReplyAwaited(pushId);
  }

  /** A message has been recorded, and with it the delivery to its responder, which is awaited. */
  expect(job: DeliveryJob): void {
    this.expected.set(job.push.id, job);
  }

  /**
   * Calls the responder of a push that was recorded just now. Of answers that come later than the
   * subscription's budget allows, a result is stored, and a text is sent as a customer-service message
   * where the subscription says so. Where no answer comes, or none that can be used, the worker calls
   * again. The caller says by {@link answerLeaves} when the answer goes out.
   * @param leftMs milliseconds from now for which anybody waits for the answer.
   * @returns the reply, in the push's format; undefined for none in time, and at once where no
   * responder is called. Never rejects.
   */
  respond(push: Push, leftMs: number): Promise<string | undefined> | undefined {
    const job = this.expected.get(push.id);
    if (!job) return undefined;
    this.expected.delete(push.id);
    const subscription = this.subscriptions.find(job.subscriptionId);
    // What nobody calls is claimed when its lease ends.
    if (!subscription?.enabled || this.stop.signal.aborted) return undefined;
    if (subscription.problem) return undefined;
    const budgetMs = Math.min(subscription.budgetMs, MAX_BUDGET_MS);
    const left = Math.min(push.receivedAt + budgetMs - this.clock.now(), leftMs);
    return new Promise((resolve) => {
      let inTime = true;
      const tooLate = (): undefined => {
        inTime = false;
        resolve(undefined);
      };
      const timer = setTimeout(tooLate, Math.max(left, 0));
      const answered = (reply?: string): boolean => {
        resolve(reply);
        return inTime;
      };
      const answerLeft = new Promise<void>((leave) => this.leaving.set(push.id, leave));
      const work = this.call(job, subscription, { answered, answerLeft }).finally(() => {
        clearTimeout(timer);
        resolve(undefined);
        this.answerLeaves(push.id);
      });
      this.underWay.add(work);
    });
  }

  /** The answer to a push goes out now, with a reply or without. */
  answerLeaves(pushId: string): void {
    this.leaving.get(pushId)?.();
    this.leaving.delete(pushId);
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    return this.underWay.idle();
  }

  onModuleDestroy(): Promise<void> {
    return drain(
      () => this.idle(),
      () => this.stop.abort(),
    );
  }

  private async call(
    job: DeliveryJob,
    subscription: Subscription,
    waiting: Pick<RunCause, 'answered' | 'answerLeft'>,
  ): Promise<void> {
    const { signal } = this.stop;
    try {
      await this.attempts.make(job, subscription, { cause: 'responder', signal, ...waiting });
    } catch (error) {
      this.logger.warn('The call of a responder went wrong; it is called again', error);
    }
  }
}
