import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditService } from '../auth/audit.service.js';
import { Clock } from '../common/clock.js';
import { isOverSql, isPending, isYetToCome } from '../common/clock-trust.js';
import { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import {
  encryptedColumns,
  secretLocation,
  type EncryptedColumn,
} from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { ComponentRow } from './component.entity.js';
import {
  ComponentUnreadableError,
  ROTATING_FIELDS,
  type Component,
  type EndedCredential,
  type Rotating,
  type RotatingField,
  type StartPushClaim,
  type UsedCredentials,
} from './component.js';
import { PreviousValues } from './previous-values.js';
import { HOUR_MS, MINUTE_MS } from '../common/times.js';

/** Applied values that are remembered, so that going back to an old `.env` is noticed. */
const REMEMBERED_VALUES = 100;

/** New values of a third-party platform; what is not given stays. */
export interface ComponentChange {
  name?: string;
  enabled?: boolean;
  appSecret?: string;
  token?: string;
  encodingAesKey?: string;
  previousToken?: string;
  previousEncodingAesKey?: string;
  /** Names of the environment's values that are applied herewith. */
  appliedEnvironment?: string[];
}

/**
 * `kept`: previous values at the most; each AppSecret may cost an exchange one more call. `gapMs`:
 * longest time between two uses of the current value that counts as time of its use, so that
 * silence, or a clock that jumps, ends nothing. Tickets come every 10 minutes, exchanges are made
 * every 2 hours.
 */
const ROTATING = {
  appSecret: {
    previous: 'previousAppSecret',
    changedAt: 'appSecretChangedAt',
    usedAt: 'appSecretUsedAt',
    kept: 3,
    gapMs: 3 * HOUR_MS,
    columns: [encryptedColumns.componentAppSecret, encryptedColumns.componentPreviousAppSecret],
  },
  token: {
    previous: 'previousToken',
    changedAt: 'tokenChangedAt',
    usedAt: 'tokenUsedAt',
    kept: 5,
    gapMs: 30 * MINUTE_MS,
    columns: [encryptedColumns.componentToken, encryptedColumns.componentPreviousToken],
  },
  encodingAesKey: {
    previous: 'previousEncodingAesKey',
    changedAt: 'encodingAesKeyChangedAt',
    usedAt: 'encodingAesKeyUsedAt',
    kept: 5,
    gapMs: 30 * MINUTE_MS,
    columns: [
      encryptedColumns.componentEncodingAesKey,
      encryptedColumns.componentPreviousEncodingAesKey,
    ],
  },
} as const;
const SECRET_FIELDS = [...ROTATING_FIELDS, 'previousToken', 'previousEncodingAesKey'] as const;

/** Rows of `component`: encryption and rotation of what they hold. */
@Injectable()
export class ComponentStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly audit: AuditService,
  ) {}

  /** All, in the order in which they were added. */
  async all(): Promise<Component[]> {
    const rows = await this.database.read((manager) =>
      manager.find(ComponentRow, { order: { createdAt: 'ASC', appid: 'ASC' } }),
    );
    return rows.map((row) => this.toComponent(row));
  }

  /** Whether the row was added; false when the appid is registered already. */
  async add(
    appid: string,
    values: Required<Pick<ComponentChange, RotatingField>> & ComponentChange,
  ): Promise<boolean> {
    const now = this.clock.now();
    return this.database.transaction(async (manager) => {
      if (await this.lock(manager, appid)) return false;
      const row = manager.create(ComponentRow, {
        appid,
        name: values.name ?? appid,
        enabled: values.enabled ?? true,
        createdAt: now,
      });
      this.apply(row, values, now);
      await manager.insert(ComponentRow, row);
      await this.audit.within(manager);
      return true;
    });
  }

  /**
   * Changes a row under its lock.
   * @param decide gets the names of the values that environments had, joined by commas, and gives
   * the change, or nothing.
   * @returns whether there is such a row.
   * @throws {ComponentUnreadableError} when some of its unreadable secrets would stay.
   */
  async change(
    appid: string,
    decide: (appliedEnvironment: Secret) => ComponentChange | undefined,
  ): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(manager, appid);
      if (!row) return false;
      const change = decide(this.appliedEnvironment(row));
      if (!change) return true;
      this.apply(row, change, this.clock.now());
      await manager.save(ComponentRow, row);
      await this.audit.within(manager);
      return true;
    });
  }

  /** Ends the previous values of the fields. @returns whether there is such a row. */
  async endPrevious(appid: string, fields: readonly RotatingField[]): Promise<boolean> {
    const none = Object.fromEntries(fields.map((field) => [ROTATING[field].previous, null]));
    return this.database.transaction(async (manager) => {
      if (!(await this.lock(manager, appid))) return false;
      await manager.update(ComponentRow, { appid }, { ...none, updatedAt: this.clock.now() });
      await this.audit.within(manager);
      return true;
    });
  }

  /**
   * Notes which values WeChat has used at `at` (Unix milliseconds), under the row's lock: hosts do
   * not undo each other's. A previous value ends here once the current one alone has been used for
   * PREVIOUS_KEY_HOURS.
   * @returns the values that ended.
   */
  async noteUse(appid: string, used: UsedCredentials, at: number): Promise<EndedCredential[]> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(manager, appid);
      if (!row) return [];
      const before = { ...row };
      const ended = ROTATING_FIELDS.flatMap((field) => {
        const value = used[field];
        return value ? this.noteUseOf(row, field, value, at) : [];
      });
      const columns = ROTATING_FIELDS.flatMap((field) => [
        ROTATING[field].usedAt,
        ROTATING[field].previous,
      ]).filter((name) => row[name] !== before[name]);
      const change = Object.fromEntries(columns.map((name) => [name, row[name]]));
      if (columns.length > 0) await manager.update(ComponentRow, { appid }, change);
      return ended;
    });
  }

  /** Takes the right to ask WeChat for a ticket push, which one host has per `intervalMs`. */
  async claimStartPush(appid: string, intervalMs: number): Promise<StartPushClaim> {
    const now = this.clock.now();
    // Most claims are too early, and a read costs less than a write.
    const row = await this.database.read((manager) => manager.findOneBy(ComponentRow, { appid }));
    const last = row?.startPushAt ?? null;
    const nextAt = last === null ? null : last + intervalMs;
    if (isPending(nextAt, intervalMs, now)) return { granted: false, nextAt };
    const { affected } = await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(ComponentRow)
        .set({ startPushAt: now })
        .where('appid = :appid', { appid })
        .andWhere(isOverSql(`start_push_at + ${intervalMs}`, intervalMs, now))
        .execute(),
    );
    return { granted: affected === 1, nextAt: now + intervalMs };
  }

  private lock(manager: EntityManager, appid: string): Promise<ComponentRow | null> {
    return manager.findOne(ComponentRow, { where: { appid }, ...this.database.forUpdate });
  }

  private apply(row: ComponentRow, change: ComponentChange, now: number): void {
    this.refusePartialRepair(row, change);
    for (const field of ROTATING_FIELDS) this.rotate(row, field, change[field], now);
    this.addPrevious(row, 'token', change.previousToken, now);
    this.addPrevious(row, 'encodingAesKey', change.previousEncodingAesKey, now);
    row.name = change.name ?? row.name;
    row.enabled = change.enabled ?? row.enabled;
    if (change.appliedEnvironment) {
      const before = this.appliedEnvironment(row);
      const names = before.problem ? [] : namesIn(before);
      const applied = new Set([...names, ...change.appliedEnvironment]);
      const text = [...applied].slice(-REMEMBERED_VALUES).join(',');
      const column = encryptedColumns.componentAppliedEnvironment;
      row.appliedEnvironment = text ? this.seal(text, column, row.appid) : null;
    }
    row.updatedAt = now;
  }

  /** Secrets that cannot be read are replaced as a whole: the key may be missing by mistake. */
  private refusePartialRepair(row: ComponentRow, change: ComponentChange): void {
    const given = SECRET_FIELDS.filter((field) => change[field] !== undefined);
    if (given.length === 0 || ROTATING_FIELDS.every((field) => given.includes(field))) return;
    const { problem } = this.toComponent(row);
    if (problem) throw new ComponentUnreadableError(row.appid, problem);
  }

  private rotate(
    row: ComponentRow,
    field: RotatingField,
    value: string | undefined,
    now: number,
  ): void {
    if (value === undefined) return;
    const { columns, changedAt, usedAt, kept } = ROTATING[field];
    const before = row[field] ? this.currentOf(row, field) : undefined;
    if (before?.equals(value)) return;
    const all = this.previousValues(row, field);
    const others = all.without(value);
    const lastUsedAt = row[usedAt] ?? null;
    const isKnown = before && !before.problem;
    const previous = isKnown ? others.with(before.reveal(), now, lastUsedAt, kept) : others;
    this.setPrevious(row, field, previous);
    row[field] = this.seal(value, columns[0], row.appid);
    row[changedAt] = now;
    row[usedAt] = all.find(value)?.lastUsedAt ?? null;
  }

  private noteUseOf(
    row: ComponentRow,
    field: RotatingField,
    value: Secret,
    at: number,
  ): EndedCredential[] {
    const { usedAt, gapMs } = ROTATING[field];
    const previous = this.previousValues(row, field);
    if (!this.currentOf(row, field).equals(value.reveal())) {
      // One that has ended meanwhile, on another host or by an operator, stays so.
      if (previous.find(value.reveal())) {
        this.setPrevious(row, field, previous.used(value.reveal(), at));
      }
      return [];
    }
    const last = row[usedAt];
    const gap = last === null ? 0 : Math.min(Math.max(at - last, 0), gapMs);
    row[usedAt] = last === null || isYetToCome(last, at) ? at : Math.max(last, at);
    if (previous.list.length === 0 || gap === 0) return [];
    const { previousKeyHours } = this.config;
    const unused = previous.unused(gap);
    const left = previousKeyHours === 0 ? unused : unused.unusedForLess(previousKeyHours * HOUR_MS);
    this.setPrevious(row, field, left);
    const ended = unused.list.filter((entry) => !left.list.includes(entry));
    return ended.map(({ replacedAt }) => ({ field, replacedAt }));
  }

  private addPrevious(
    row: ComponentRow,
    field: RotatingField,
    value: string | undefined,
    now: number,
  ): void {
    if (value === undefined) return;
    const previous = this.previousValues(row, field);
    const lastUsedAt = previous.find(value)?.lastUsedAt ?? null;
    this.setPrevious(row, field, previous.with(value, now, lastUsedAt, ROTATING[field].kept));
  }

  private currentOf(row: ComponentRow, field: RotatingField): Secret {
    return this.open(row[field], ROTATING[field].columns[0], row.appid);
  }

  /** The values before the current one. Those that cannot be read are none: they are on their way out. */
  private previousValues(row: ComponentRow, field: RotatingField): PreviousValues {
    const { columns, previous, changedAt } = ROTATING[field];
    const stored = row[previous];
    const values = stored ? this.open(stored, columns[1], row.appid) : undefined;
    if (!values || values.problem) return new PreviousValues([]);
    return PreviousValues.parse(values.reveal(), row[changedAt]);
  }

  private setPrevious(row: ComponentRow, field: RotatingField, values: PreviousValues): void {
    const { columns, previous } = ROTATING[field];
    const stored = values.toStored();
    row[previous] = stored === null ? null : this.seal(stored, columns[1], row.appid);
  }

  private appliedEnvironment({ appliedEnvironment, appid }: ComponentRow): Secret {
    return this.open(appliedEnvironment ?? '', encryptedColumns.componentAppliedEnvironment, appid);
  }

  private toComponent(row: ComponentRow): Component {
    const { appid, name, enabled, createdAt, updatedAt } = row;
    const appSecret = this.rotating(row, 'appSecret');
    const token = this.rotating(row, 'token');
    const encodingAesKey = this.rotating(row, 'encodingAesKey');
    return {
      appid,
      name,
      enabled: Boolean(enabled),
      createdAt,
      updatedAt,
      appSecret,
      token,
      encodingAesKey,
      problem: appSecret.current.problem ?? token.current.problem ?? encodingAesKey.current.problem,
    };
  }

  private rotating(row: ComponentRow, field: RotatingField): Rotating {
    const { changedAt, usedAt } = ROTATING[field];
    const { list } = this.previousValues(row, field);
    const { previousKeyHours } = this.config;
    const usedTo = (row[usedAt] ?? row[changedAt]) + previousKeyHours * HOUR_MS;
    return {
      current: this.currentOf(row, field),
      previous: list.map(({ value }) => new Secret(value)),
      changedAt: row[changedAt],
      lastUsedAt: row[usedAt],
      previousUses: list.map(({ replacedAt, lastUsedAt, unusedMs }) => ({
        replacedAt,
        lastUsedAt,
        endsAt: previousKeyHours === 0 ? null : usedTo - unusedMs,
      })),
    };
  }

  private open(stored: string, column: EncryptedColumn, appid: string): Secret {
    return this.box.open(stored, secretLocation(column, appid));
  }

  private seal(value: string, column: EncryptedColumn, appid: string): string {
    return this.box.seal(value, secretLocation(column, appid));
  }
}

/** The names of values in a row's `applied_environment`. @throws {SecretUnreadableError} */
export function namesIn(appliedEnvironment: Secret): string[] {
  const text = appliedEnvironment.reveal();
  return text ? text.split(',') : [];
}
