import { Injectable } from '@nestjs/common';
import type { PushKind } from '../callback/push.js';
import { Clock } from '../common/clock.js';
import { AttemptService } from './attempt.service.js';
import type { Sent } from './delivery.job.js';
import { samplePush } from './sample-push.js';
import { SubscriptionService } from '../subscription/subscription.service.js';

/** Tries out a subscription. */
@Injectable()
export class SubscriptionTest {
  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly attempts: AttemptService,
    private readonly clock: Clock,
  ) {}

  /**
   * Sends a sample push now, as it would be delivered; nothing is stored.
   * @param kind the first kind that the subscription is for, unless told.
   * @throws {SubscriptionUnknownError | SubscriptionUnreadableError}
   */
  async send(id: string, kind?: PushKind): Promise<Sent> {
    const subscription = await this.subscriptions.getReadable(id);
    const wanted = kind ?? subscription.kinds?.[0] ?? 'message';
    const push = samplePush(wanted, subscription, this.clock.now());
    return this.attempts.send({ deliveryId: `test_${push.id}`, push, subscription, cause: 'test' });
  }
}
