import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { emitTelemetry } from '../common/telemetry.js';
import { TrustedTime } from '../common/trusted-time.js';
import type { AttemptCause } from './delivery-attempt.entity.js';
import type { DeliveryJob } from './delivery.job.js';
import { DELIVERY_POLICY, extraDelayMs, retryDelayMs } from './delivery-policy.js';
import { DeliveryResults, type Ending } from './delivery.results.js';
import type { Sent } from './delivery.sender.js';
import { SubscriptionHealth } from './subscription-health.js';

/** Decides how a delivery goes on after an attempt, and puts both on record. */
@Injectable()
export class DeliveryAttempts {
  private readonly logger = new Logger(DeliveryAttempts.name);

  constructor(
    private readonly results: DeliveryResults,
    private readonly health: SubscriptionHealth,
    private readonly clock: Clock,
    private readonly time: TrustedTime,
  ) {}

  /**
   * @param remark what is to be told although the delivery was taken.
   * @returns whether the delivery has ended.
   */
  async made(job: DeliveryJob, sent: Sent, cause: AttemptCause, remark?: string): Promise<boolean> {
    const { deliveryId, subscriptionId } = job;
    const ending = this.endingOf(job, sent);
    const { at, durationMs, status } = sent;
    const attempt = { at, durationMs, cause, status, error: sent.error ?? remark ?? null };
    await this.results.save({ deliveryId, ending, attempt });
    if (ending.status === 'dead') {
      this.logger.warn('A delivery was given up after its last attempt', {
        deliveryId,
        subscriptionId,
      });
      emitTelemetry('delivery.dead', { subscriptionId });
    }
    await this.health.note(subscriptionId, sent);
    return ending.status !== 'pending';
  }

  /** No attempt was made: whoever has room takes it up, at once. */
  async giveBack({ deliveryId }: DeliveryJob): Promise<void> {
    const ending: Ending = { status: 'pending', nextAttemptAt: this.clock.now() };
    await this.results.save({ deliveryId, ending });
  }

  /** This process takes up nothing more: whoever has room does, at once. */
  async leaveNext(deliveryId: string, orderKey: string): Promise<void> {
    await this.results.releaseBehind({ id: deliveryId, orderKey }, this.clock.now());
  }

  /** There is nothing to deliver, or nobody to deliver it to. */
  async cancel(deliveryId: string, lastError: string): Promise<void> {
    const ending: Ending = { status: 'cancelled', at: this.clock.now() };
    await this.results.save({ deliveryId, ending, lastError });
  }

  /**
   * The push can't be read: tried again like a failed attempt, a key may come back.
   * @returns whether the delivery has ended.
   */
  async unreadable(deliveryId: string, before: Attempted): Promise<boolean> {
    const error = "The stored push can't be decrypted";
    const attempt = {
      at: this.clock.now(),
      durationMs: 0,
      cause: 'schedule',
      status: null,
      error,
    } as const;
    const ending = this.afterFailure(before);
    await this.results.save({ deliveryId, ending, attempt });
    return ending.status !== 'pending';
  }

  private endingOf(job: DeliveryJob, { taken, retryAfterMs }: Sent): Ending {
    if (taken) return { status: 'delivered', at: this.clock.now() };
    return this.afterFailure(job, retryAfterMs);
  }

  /** Attempts that a clock which jumps has drawn together do not end a delivery before its time. */
  private afterFailure({ attempts, begunAt }: Attempted, retryAfterMs?: number): Ending {
    const now = this.clock.now();
    const delay = retryDelayMs(attempts + 1, Math.random(), retryAfterMs);
    const mayEnd = this.time.now() - begunAt >= DELIVERY_POLICY.giveUpAfter;
    if (delay === undefined && mayEnd) return { status: 'dead', at: now };
    return { status: 'pending', nextAttemptAt: now + (delay ?? extraDelayMs(Math.random())) };
  }
}

/** How often a delivery was attempted before, and since when. */
type Attempted = Pick<DeliveryJob, 'attempts' | 'begunAt'>;
