import { Injectable } from '@nestjs/common';
import { RefusedPushStore } from '../callback/refused-push.store.js';
import { Clock } from '../common/clock.js';
import { remark } from '../common/remarks.js';
import { HOUR_MS } from '../common/times.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { finding, MOST_DETAILS, type Finding } from './findings.js';

/** How pushes come in, and how they get to the company's services. */
@Injectable()
export class TrafficChecks {
  constructor(
    private readonly refused: RefusedPushStore,
    private readonly subscriptions: SubscriptionService,
    private readonly clock: Clock,
  ) {}

  async refusedPushes(): Promise<Finding> {
    const since = this.clock.now() - HOUR_MS;
    const count = await this.refused.countSince(since);
    if (count === 0) return finding('refused_none');
    const rows = await this.refused.since(since, MOST_DETAILS);
    const lines = rows.map(({ count: times, code, url, componentAppId, sourceAddress }) =>
      [`${times} × ${code}`, url, componentAppId ?? '-', sourceAddress].join(' · '),
    );
    return finding('refused_some', { count }, lines);
  }

  async targets(): Promise<Finding> {
    const all = await this.subscriptions.list();
    const unreadable = all.filter(({ problem }) => problem);
    if (unreadable.length > 0) {
      const lines = unreadable.map(({ name, id }) => `${name} (${id})`);
      return finding('subscriptions_unreadable', { count: unreadable.length }, lines);
    }
    // One that an operator has disabled is as it is meant to be.
    const ill = all.filter(({ enabled, failingSince, disabledReason }) =>
      enabled ? failingSince !== null : disabledReason !== null,
    );
    if (ill.length > 0) {
      const lines = ill.map(({ name, id, disabledReason }) =>
        disabledReason === null
          ? remark('line_failing', { name, id })
          : remark('line_disabled', { name, id, why: disabledReason }),
      );
      return finding('subscriptions_failing', { count: ill.length }, lines);
    }
    return all.length > 0
      ? finding('subscriptions_ok', { count: all.length })
      : finding('subscriptions_none');
  }
}
