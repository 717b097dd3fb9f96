import { Injectable } from '@nestjs/common';
import { IsNull, LessThanOrEqual, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { PushKind } from '../callback/arrived-push.js';
import { Clock } from '../common/clock.js';
import type { Secret } from '../common/secret.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { DeliveryStore } from './delivery.store.js';
import { SubscriptionRow } from './subscription.entity.js';
import type { Subscription, SubscriptionFormat, SubscriptionMode } from './subscription.js';

const { subscriptionSecret, subscriptionPreviousSecret } = encryptedColumns;
/** Deliveries that one statement cancels. */
const BATCH = 500;

/** What an administrator says of a subscription. */
export type SubscriptionValues = Pick<
  Subscription,
  | 'name'
  | 'url'
  | 'mode'
  | 'format'
  | 'componentAppId'
  | 'authorizerAppId'
  | 'kinds'
  | 'types'
  | 'ordered'
  | 'lateReply'
  | 'budgetMs'
  | 'enabled'
>;

/** Rows of `subscription`. */
@Injectable()
export class SubscriptionStore {
  constructor(
    private readonly database: Database,
    private readonly deliveries: DeliveryStore,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** All, oldest first. */
  async all(): Promise<Subscription[]> {
    const rows = await this.database.read((manager) =>
      manager.find(SubscriptionRow, { order: { createdAt: 'ASC', id: 'ASC' } }),
    );
    return rows.map((row) => this.toSubscription(row));
  }

  /** @returns its id. */
  async add(values: SubscriptionValues, secret: Secret): Promise<string> {
    const id = uuidv7();
    const now = this.clock.now();
    const row = {
      id,
      ...columnsOf(values),
      secret: this.box.seal(secret.reveal(), secretLocation(subscriptionSecret, id)),
      previousSecret: null,
      secretChangedAt: now,
      failingSince: null,
      disabledAt: null,
      disabledReason: null,
      createdAt: now,
      updatedAt: now,
    };
    await this.database.write((manager) => manager.insert(SubscriptionRow, row));
    return id;
  }

  /**
   * Changes a row under its lock.
   * @param decide gives the new values; what it throws undoes the change.
   * @returns whether there is such a row.
   */
  async change(id: string, decide: (before: Subscription) => SubscriptionValues): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(id, manager);
      if (!row) return false;
      const before = this.toSubscription(row);
      const values = decide(before);
      // What was disabled for its failures starts afresh when it is enabled.
      const afresh = { failingSince: null, disabledAt: null, disabledReason: null };
      const enabled = values.enabled && !before.enabled ? afresh : {};
      const change = { ...columnsOf(values), ...enabled, updatedAt: this.clock.now() };
      await manager.update(SubscriptionRow, { id }, change);
      return true;
    });
  }

  /** @returns whether there is such a row. */
  async rotateSecret(id: string, secret: Secret): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(id, manager);
      if (!row) return false;
      const before = this.toSubscription(row).secret.reveal();
      const now = this.clock.now();
      const change = {
        secret: this.box.seal(secret.reveal(), secretLocation(subscriptionSecret, id)),
        previousSecret: this.box.seal(before, secretLocation(subscriptionPreviousSecret, id)),
        secretChangedAt: now,
        updatedAt: now,
      };
      await manager.update(SubscriptionRow, { id }, change);
      return true;
    });
  }

  /** Removes a subscription and cancels what was still to be delivered to it; whether it was there. */
  async remove(id: string): Promise<boolean> {
    const { affected } = await this.database.write((manager) =>
      manager.delete(SubscriptionRow, { id }),
    );
    while ((await this.cancelSome(id)) === BATCH);
    return affected === 1;
  }

  /** Its target has failed: from now on, unless it was failing before. */
  async markFailing(id: string, at: number): Promise<void> {
    await this.database.write((manager) =>
      manager.update(SubscriptionRow, { id, failingSince: IsNull() }, { failingSince: at }),
    );
  }

  /** Its target has taken something. */
  async markWell(id: string): Promise<void> {
    await this.database.write((manager) =>
      manager.update(SubscriptionRow, { id }, { failingSince: null }),
    );
  }

  /**
   * Disables a subscription for what its target does.
   * @param failingBefore only if it has been failing since then, in Unix milliseconds.
   * @returns whether this caller did it.
   */
  async disable(id: string, reason: string, failingBefore?: number): Promise<boolean> {
    const hopeless =
      failingBefore === undefined ? {} : { failingSince: LessThanOrEqual(failingBefore) };
    const now = this.clock.now();
    const change = { enabled: false, disabledAt: now, disabledReason: reason, updatedAt: now };
    const { affected } = await this.database.write((manager) =>
      manager.update(SubscriptionRow, { id, enabled: true, ...hopeless }, change),
    );
    return affected === 1;
  }

  private lock(id: string, manager: EntityManager): Promise<SubscriptionRow | null> {
    return manager.findOne(SubscriptionRow, { where: { id }, ...this.database.forUpdate });
  }

  private async cancelSome(subscriptionId: string): Promise<number> {
    const ids = await this.deliveries.pendingOf(subscriptionId, BATCH);
    await this.deliveries.cancel(ids, this.clock.now());
    return ids.length;
  }

  private toSubscription(row: SubscriptionRow): Subscription {
    const { id, previousSecret } = row;
    return {
      ...row,
      mode: row.mode as SubscriptionMode,
      format: row.format as SubscriptionFormat,
      kinds: listOf(row.kinds) as PushKind[] | null,
      types: listOf(row.types),
      ordered: Boolean(row.ordered),
      lateReply: Boolean(row.lateReply),
      enabled: Boolean(row.enabled),
      secret: this.box.open(row.secret, secretLocation(subscriptionSecret, id)),
      previousSecret:
        previousSecret === null
          ? null
          : this.box.open(previousSecret, secretLocation(subscriptionPreviousSecret, id)),
    };
  }
}

function columnsOf(values: SubscriptionValues): Omit<SubscriptionValues, 'kinds' | 'types'> & {
  kinds: string | null;
  types: string | null;
} {
  const { kinds, types } = values;
  return {
    ...values,
    kinds: kinds && JSON.stringify(kinds),
    types: types && JSON.stringify(types),
  };
}

function listOf(stored: string | null): string[] | null {
  return stored === null ? null : (JSON.parse(stored) as string[]);
}
