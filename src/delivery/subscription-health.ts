import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { SingleFlight } from '../common/single-flight.js';
import { emitTelemetry } from '../common/telemetry.js';
import { TrustedTime } from '../common/trusted-time.js';
import { countsAsFailure, FAILING_POLICY, isHopeless } from '../subscription/failing.js';
import type { Attempt } from './delivery.job.js';
import { DeliveryStore } from './delivery.store.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { SubscriptionStore } from '../subscription/subscription.store.js';
import { DAY_MS } from '../common/times.js';
import { remark } from '../common/remarks.js';

/** Follows whether targets take what they are sent, and gives up those that never do. */
@Injectable()
export class SubscriptionHealth {
  private readonly logger = new Logger(SubscriptionHealth.name);
  private readonly changes = new SingleFlight<void>();

  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly store: SubscriptionStore,
    private readonly deliveries: DeliveryStore,
    private readonly clock: Clock,
    private readonly time: TrustedTime,
  ) {}

  /** Takes note of an attempt that no person asked for. Never throws: it is noted again at the next. */
  async note(id: string, { taken, gone }: Pick<Attempt, 'taken' | 'gone'>): Promise<void> {
    const known = this.subscriptions.find(id);
    if (taken && (known?.failingSince ?? null) === null) return;
    const now = this.clock.now();
    if (!taken && !gone && known && !countsAsFailure(known, now)) return;
    // One change tells for all that end at once.
    await this.changes.run(id, async () => {
      try {
        if (taken) await this.store.markWell(id);
        else if (gone) await this.disable(id, remark('target_gone'));
        else await this.fail(id, now);
        await this.subscriptions.reload();
      } catch (error) {
        this.logger.warn('The state of a subscription could not be written', error);
      }
    });
  }

  private async fail(id: string, now: number): Promise<void> {
    await this.store.markFailing(id, now);
    const failing = (await this.subscriptions.reload()).find((one) => one.id === id);
    if (!failing?.failingSince || !isHopeless(failing, this.time.now())) return;
    await this.giveUp(id, failing.failingSince);
  }

  private async giveUp(id: string, failingSince: number): Promise<void> {
    // Another host may have delivered without knowing of the failures here.
    if (await this.deliveries.hasDeliveredSince(id, failingSince)) return this.store.markWell(id);
    const days = FAILING_POLICY.disableAfter / DAY_MS;
    await this.disable(id, remark('target_failed_days', { days }), failingSince);
  }

  private async disable(id: string, reason: string, failingSince?: number): Promise<void> {
    if (!(await this.store.disable(id, reason, failingSince))) return;
    const name = this.subscriptions.find(id)?.name;
    this.logger.error(`A subscription was disabled: ${reason}`, { subscriptionId: id, name });
    emitTelemetry('delivery.disabled', { subscriptionId: id, reason });
  }
}
