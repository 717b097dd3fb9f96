import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { AuditService } from '../auth/audit.service.js';
import type { PushKind } from '../callback/push.js';
import { Clock } from '../common/clock.js';
import { isOverSql } from '../common/clock-trust.js';
import type { Secret } from '../common/secret.js';
import { Database } from '../database/database.js';
import {
  encryptedColumns,
  secretLocation,
  type EncryptedColumn,
} from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { FAILING_POLICY } from './failing.js';
import { SubscriptionRow } from './subscription.entity.js';
import {
  FilterUnreadableError,
  type Subscription,
  type SubscriptionFormat,
  type SubscriptionMode,
} from './subscription.js';

const {
  subscriptionSecret,
  subscriptionPreviousSecret,
  subscriptionToken,
  subscriptionEncodingAesKey,
} = encryptedColumns;
/** What a row says of a target that is well. */
const WELL = { failingSince: null, failedAt: null, failingMs: 0 };

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
  | 'splitText'
  | 'budgetMs'
  | 'enabled'
  | 'token'
  | 'encodingAesKey'
>;

/** What {@link SubscriptionStore.rotateSecret} puts in the place of what was there. */
export type NewSecrets = Record<'secret' | 'token' | 'encodingAesKey', Secret>;

/** Rows of `subscription`. */
@Injectable()
export class SubscriptionStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    private readonly audit: AuditService,
  ) {}

  /** All, oldest first, readable or not. */
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
      ...this.columnsOf(values, id),
      secret: this.seal(secret, subscriptionSecret, id),
      previousSecret: null,
      secretChangedAt: now,
      ...WELL,
      disabledAt: null,
      disabledReason: null,
      createdAt: now,
      updatedAt: now,
    };
    await this.database.transaction(async (manager) => {
      await manager.insert(SubscriptionRow, row);
      await this.audit.within(manager);
    });
    return id;
  }

  /**
   * Changes a row under its lock; what is not given stays, readable or not.
   * @param check gets the values as they will be; what it throws undoes the change.
   * @returns whether there is such a row.
   */
  async change(
    id: string,
    change: Partial<SubscriptionValues>,
    check: (after: SubscriptionValues) => void,
  ): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(id, manager);
      if (!row) return false;
      const before = this.toSubscription(row);
      check({ ...before, ...change });
      // What was disabled for its failures starts afresh when it is enabled.
      const afresh = { ...WELL, disabledAt: null, disabledReason: null };
      const enabled = change.enabled && !before.enabled ? afresh : {};
      const columns = { ...this.columnsOf(change, id), ...enabled, updatedAt: this.clock.now() };
      await manager.update(SubscriptionRow, { id }, columns);
      await this.audit.within(manager);
      return true;
    });
  }

  /**
   * A secret that cannot be read is forgotten. Token and key are replaced where the format has them.
   * @returns whether there is such a row.
   */
  async rotateSecret(id: string, secrets: NewSecrets): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(id, manager);
      if (!row) return false;
      const before = this.open(row.secret, subscriptionSecret, id);
      const now = this.clock.now();
      const { secret, token, encodingAesKey } = secrets;
      const change = {
        secret: this.seal(secret, subscriptionSecret, id),
        previousSecret: before.problem ? null : this.seal(before, subscriptionPreviousSecret, id),
        ...(row.format === 'wechat' && this.columnsOf({ token, encodingAesKey }, id)),
        secretChangedAt: now,
        updatedAt: now,
      };
      await manager.update(SubscriptionRow, { id }, change);
      await this.audit.within(manager);
      return true;
    });
  }

  /** Removes a subscription; whether it was there. */
  remove(id: string): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const { affected } = await manager.delete(SubscriptionRow, { id });
      if (affected === 1) await this.audit.within(manager);
      return affected === 1;
    });
  }

  /** Its target has failed; counted once an hour over all hosts. */
  async markFailing(id: string, at: number): Promise<void> {
    const { failureInterval, failureGap } = FAILING_POLICY;
    const now = Math.floor(at);
    const gap = `CASE WHEN failed_at IS NULL OR failed_at > ${now} THEN 0
      WHEN failed_at < ${now - failureGap} THEN ${failureGap} ELSE ${now} - failed_at END`;
    await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(SubscriptionRow)
        // MySQL assigns in this order: the gap is counted before the time is moved.
        .set({
          failingSince: () => `COALESCE(failing_since, ${now})`,
          failingMs: () => `failing_ms + ${gap}`,
          failedAt: now,
        })
        .where('id = :id', { id })
        .andWhere(isOverSql(`failed_at + ${failureInterval}`, failureInterval, now))
        .execute(),
    );
  }

  /** Its target has taken something. */
  async markWell(id: string): Promise<void> {
    await this.database.write((manager) => manager.update(SubscriptionRow, { id }, WELL));
  }

  /**
   * Disables a subscription for what its target does.
   * @param failingSince only if it is failing since then, in Unix milliseconds.
   * @returns whether this caller did it.
   */
  async disable(id: string, reason: string, failingSince?: number): Promise<boolean> {
    const hopeless = failingSince === undefined ? {} : { failingSince };
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

  private toSubscription(row: SubscriptionRow): Subscription {
    const { id } = row;
    const [kinds, types] = [listIn(row, 'kinds'), listIn(row, 'types')];
    const secret = this.open(row.secret, subscriptionSecret, id);
    const token = this.open(row.token, subscriptionToken, id);
    const encodingAesKey = this.open(row.encodingAesKey, subscriptionEncodingAesKey, id);
    const used =
      row.format === 'wechat' ? (token?.problem ?? encodingAesKey?.problem) : secret.problem;
    return {
      ...row,
      mode: row.mode as SubscriptionMode,
      format: row.format as SubscriptionFormat,
      kinds: kinds.list as PushKind[] | null,
      types: types.list,
      ordered: Boolean(row.ordered),
      lateReply: Boolean(row.lateReply),
      splitText: Boolean(row.splitText),
      enabled: Boolean(row.enabled),
      secret,
      previousSecret: this.open(row.previousSecret, subscriptionPreviousSecret, id),
      token,
      encodingAesKey,
      problem: kinds.problem ?? types.problem ?? used,
    };
  }

  /** The columns of the given values. */
  private columnsOf<V extends Partial<SubscriptionValues>>(values: V, id: string) {
    const { kinds, types, token, encodingAesKey } = values;
    return {
      ...values,
      kinds: kinds && JSON.stringify(kinds),
      types: types && JSON.stringify(types),
      token: token && this.seal(token, subscriptionToken, id),
      encodingAesKey: encodingAesKey && this.seal(encodingAesKey, subscriptionEncodingAesKey, id),
    };
  }

  private seal(secret: Secret, column: EncryptedColumn, id: string): string {
    return this.box.seal(secret.reveal(), secretLocation(column, id));
  }

  private open<S extends string | null>(
    stored: S,
    column: EncryptedColumn,
    id: string,
  ): S extends string ? Secret : null;
  private open(stored: string | null, column: EncryptedColumn, id: string): Secret | null {
    return stored === null ? null : this.box.open(stored, secretLocation(column, id));
  }
}

/** A list of the filter; one that cannot be read means no push. */
function listIn(
  row: SubscriptionRow,
  column: 'kinds' | 'types',
): { list: string[] | null; problem?: FilterUnreadableError } {
  const stored = row[column];
  if (stored === null) return { list: null };
  try {
    return { list: z.array(z.string()).parse(JSON.parse(stored)) };
  } catch {
    return { list: [], problem: new FilterUnreadableError(column) };
  }
}
