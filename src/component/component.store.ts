import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import type { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import {
  encryptedColumns,
  secretLocation,
  type EncryptedColumn,
} from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { ComponentRow } from './component.entity.js';
import type { Component, Rotating } from './component.js';

const HOUR_MS = 3_600_000;
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

const ROTATING = {
  appSecret: {
    previous: 'previousAppSecret',
    changedAt: 'appSecretChangedAt',
    columns: [encryptedColumns.componentAppSecret, encryptedColumns.componentPreviousAppSecret],
  },
  token: {
    previous: 'previousToken',
    changedAt: 'tokenChangedAt',
    columns: [encryptedColumns.componentToken, encryptedColumns.componentPreviousToken],
  },
  encodingAesKey: {
    previous: 'previousEncodingAesKey',
    changedAt: 'encodingAesKeyChangedAt',
    columns: [
      encryptedColumns.componentEncodingAesKey,
      encryptedColumns.componentPreviousEncodingAesKey,
    ],
  },
} as const;
type RotatingField = keyof typeof ROTATING;
const ROTATING_FIELDS = Object.keys(ROTATING) as RotatingField[];

/** Rows of `component`: encryption and rotation of what they hold. */
@Injectable()
export class ComponentStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** All third-party platforms, by appid. */
  async all(): Promise<Map<string, Component>> {
    const rows = await this.database.read((manager) =>
      manager.find(ComponentRow, { order: { createdAt: 'ASC', appid: 'ASC' } }),
    );
    return new Map(rows.map((row) => [row.appid, this.toComponent(row)]));
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
      return true;
    });
  }

  /**
   * Changes a row under its lock.
   * @param decide gets the names of the values that environments had, and gives the change, or
   * nothing.
   * @returns whether there is such a row.
   */
  async change(
    appid: string,
    decide: (appliedValues: string[]) => ComponentChange | undefined,
  ): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(manager, appid);
      if (!row) return false;
      const change = decide(this.appliedValues(row));
      if (!change) return true;
      this.apply(row, change, this.clock.now());
      await manager.save(ComponentRow, row);
      return true;
    });
  }

  /**
   * Takes the right to ask WeChat for a ticket push, which one host has per `intervalMs`.
   * @returns whether this caller has it.
   */
  async claimStartPush(appid: string, intervalMs: number): Promise<boolean> {
    const now = this.clock.now();
    const result = await this.database.transaction((manager) =>
      manager
        .createQueryBuilder()
        .update(ComponentRow)
        .set({ startPushAt: now })
        .where('appid = :appid', { appid })
        .andWhere('(start_push_at IS NULL OR start_push_at <= :before)', {
          before: now - intervalMs,
        })
        .execute(),
    );
    return result.affected === 1;
  }

  private lock(manager: EntityManager, appid: string): Promise<ComponentRow | null> {
    return manager.findOne(ComponentRow, { where: { appid }, ...this.database.forUpdate });
  }

  private apply(row: ComponentRow, change: ComponentChange, now: number): void {
    for (const field of ROTATING_FIELDS) this.rotate(row, field, change[field], now);
    this.setPrevious(row, 'token', change.previousToken, now);
    this.setPrevious(row, 'encodingAesKey', change.previousEncodingAesKey, now);
    row.name = change.name ?? row.name;
    row.enabled = change.enabled ?? row.enabled;
    if (change.appliedEnvironment) {
      const applied = new Set([...this.appliedValues(row), ...change.appliedEnvironment]);
      row.appliedEnvironment = this.seal(
        [...applied].slice(-REMEMBERED_VALUES).join(','),
        encryptedColumns.componentAppliedEnvironment,
        row.appid,
      );
    }
    row.updatedAt = now;
  }

  private rotate(
    row: ComponentRow,
    field: RotatingField,
    value: string | undefined,
    now: number,
  ): void {
    if (value === undefined) return;
    const { columns, previous, changedAt } = ROTATING[field];
    const before = row[field] ? this.open(row[field], columns[0], row.appid) : undefined;
    if (before?.equals(value)) return;
    row[previous] = before ? this.seal(before.reveal(), columns[1], row.appid) : null;
    row[field] = this.seal(value, columns[0], row.appid);
    row[changedAt] = now;
  }

  private setPrevious(
    row: ComponentRow,
    field: 'token' | 'encodingAesKey',
    value: string | undefined,
    now: number,
  ): void {
    if (value === undefined) return;
    const { columns, previous, changedAt } = ROTATING[field];
    row[previous] = this.seal(value, columns[1], row.appid);
    row[changedAt] = now;
  }

  private appliedValues({ appliedEnvironment, appid }: ComponentRow): string[] {
    if (!appliedEnvironment) return [];
    const column = encryptedColumns.componentAppliedEnvironment;
    return this.open(appliedEnvironment, column, appid).reveal().split(',');
  }

  private toComponent(row: ComponentRow): Component {
    const { appid, name, createdAt, updatedAt } = row;
    return {
      appid,
      name,
      enabled: Boolean(row.enabled),
      appSecret: this.rotating(row, 'appSecret'),
      token: this.rotating(row, 'token'),
      encodingAesKey: this.rotating(row, 'encodingAesKey'),
      createdAt,
      updatedAt,
    };
  }

  private rotating(row: ComponentRow, field: RotatingField): Rotating {
    const { columns, previous, changedAt } = ROTATING[field];
    const before = row[previous];
    const accepted =
      before !== null && this.clock.now() < row[changedAt] + this.config.previousKeyHours * HOUR_MS;
    return {
      current: this.open(row[field], columns[0], row.appid),
      previous: accepted ? this.open(before, columns[1], row.appid) : undefined,
      changedAt: row[changedAt],
    };
  }

  private open(stored: string, column: EncryptedColumn, appid: string): Secret {
    return this.box.open(stored, secretLocation(column, appid));
  }

  private seal(value: string, column: EncryptedColumn, appid: string): string {
    return this.box.seal(value, secretLocation(column, appid));
  }
}
