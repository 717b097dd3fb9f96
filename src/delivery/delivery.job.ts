import type { ArrivedPush } from '../callback/arrived-push.js';

/** A delivery that this process has leased, and what it delivers. */
export interface DeliveryJob {
  deliveryId: string;
  subscriptionId: string;
  orderKey: string | null;
  /** Attempts that were made before. */
  attempts: number;
  /** Begun by a replay: the user was answered long ago, or never. */
  replayed?: boolean;
  /** When its push, or a replay, has begun it, in Unix milliseconds. */
  begunAt: number;
  /** End of the lease, in Unix milliseconds: from then on others may take it. */
  leaseUntil: number;
  push: ArrivedPush;
}
