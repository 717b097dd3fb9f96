import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditService } from '../auth/audit.service.js';
import { Clock } from '../common/clock.js';
import { Secret } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import {
  encryptedColumns,
  secretLocation,
  type EncryptedColumn,
} from '../secrets/encrypted-columns.js';
import { SecretBox, SecretUnreadableError } from '../secrets/secret-box.js';
import { ComponentRow } from './component.entity.js';
import {
  ComponentUnreadableError,
  type Component,
  type ComponentFacts,
  type Components,
  type Rotating,
  type RotatingField,
  type StartPushClaim,
  type UnreadableComponent,
} from './component.js';
import { PreviousValues } from './previous-values.js';

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
export const ROTATING_FIELDS = Object.keys(ROTATING) as RotatingField[];
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

  async all(): Promise<Components> {
    const rows = await this.database.read((manager) =>
      manager.find(ComponentRow, { order: { createdAt: 'ASC', appid: 'ASC' } }),
    );
    const all: Components = { readable: new Map(), unreadable: new Map() };
    for (const row of rows) {
      try {
        all.readable.set(row.appid, this.toComponent(row));
      } catch (error) {
        if (!(error instanceof SecretUnreadableError)) throw error;
        all.unreadable.set(row.appid, toUnreadable(row, error));
      }
    }
    return all;
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
   * @param decide can look up the names of the values that environments had, and gives the change,
   * or nothing.
   * @returns whether there is such a row.
   * @throws {ComponentUnreadableError} when some of its unreadable secrets would stay.
   */
  async change(
    appid: string,
    decide: (appliedValues: () => string[]) => ComponentChange | undefined,
  ): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const row = await this.lock(manager, appid);
      if (!row) return false;
      const change = decide(() => this.appliedValues(row));
      if (!change) return true;
      this.apply(row, change, this.clock.now());
      await manager.save(ComponentRow, row);
      await this.audit.within(manager);
      return true;
    });
  }

  /**
   * Takes the right to ask WeChat for a ticket push, which one host has per `intervalMs`. A request
   * that is further ahead than that was made by a clock that was wrong, and does not count.
   */
  async claimStartPush(appid: string, intervalMs: number): Promise<StartPushClaim> {
    const now = this.clock.now();
    const [before, ahead] = [now - intervalMs, now + intervalMs];
    // Most claims are too early, and a read costs less than a write.
    const row = await this.database.read((manager) => manager.findOneBy(ComponentRow, { appid }));
    const last = row?.startPushAt ?? -Infinity;
    if (last > before && last <= ahead) return { granted: false, nextAt: last + intervalMs };
    const { affected } = await this.database.write((manager) =>
      manager
        .createQueryBuilder()
        .update(ComponentRow)
        .set({ startPushAt: now })
        .where('appid = :appid', { appid })
        .andWhere('(start_push_at IS NULL OR start_push_at <= :before OR start_push_at > :ahead)', {
          before,
          ahead,
        })
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
      const before = ifReadable(() => this.appliedValues(row)) ?? [];
      const applied = new Set([...before, ...change.appliedEnvironment]);
      const text = [...applied].slice(-REMEMBERED_VALUES).join(',');
      const column = encryptedColumns.componentAppliedEnvironment;
      row.appliedEnvironment = text ? this.seal(text, column, row.appid) : null;
    }
    row.updatedAt = now;
  }

  /** Secrets that can't be read are replaced as a whole: the key may be missing by mistake. */
  private refusePartialRepair(row: ComponentRow, change: ComponentChange): void {
    const given = SECRET_FIELDS.filter((field) => change[field] !== undefined);
    if (given.length === 0 || ROTATING_FIELDS.every((field) => given.includes(field))) return;
    try {
      this.toComponent(row);
    } catch (error) {
      if (!(error instanceof SecretUnreadableError)) throw error;
      throw new ComponentUnreadableError(row.appid, error);
    }
  }

  private rotate(
    row: ComponentRow,
    field: RotatingField,
    value: string | undefined,
    now: number,
  ): void {
    if (value === undefined) return;
    const { columns, changedAt } = ROTATING[field];
    const before = row[field] && ifReadable(() => this.open(row[field], columns[0], row.appid));
    if (before && before.equals(value)) return;
    const others = this.previousValues(row, field, now).without(value);
    this.setPrevious(row, field, before ? others.with(before.reveal(), now) : others);
    row[field] = this.seal(value, columns[0], row.appid);
    row[changedAt] = now;
  }

  private addPrevious(
    row: ComponentRow,
    field: RotatingField,
    value: string | undefined,
    now: number,
  ): void {
    if (value === undefined) return;
    this.setPrevious(row, field, this.previousValues(row, field, now).with(value, now));
    row[ROTATING[field].changedAt] = now;
  }

  /** For a change: unreadable ones are given up, as their platform is being mended. */
  private previousValues(row: ComponentRow, field: RotatingField, now: number): PreviousValues {
    return ifReadable(() => this.acceptedBefore(row, field, now)) ?? new PreviousValues([]);
  }

  private setPrevious(row: ComponentRow, field: RotatingField, values: PreviousValues): void {
    const { columns, previous } = ROTATING[field];
    const stored = values.toStored();
    row[previous] = stored === null ? null : this.seal(stored, columns[1], row.appid);
  }

  private appliedValues({ appliedEnvironment, appid }: ComponentRow): string[] {
    if (!appliedEnvironment) return [];
    const column = encryptedColumns.componentAppliedEnvironment;
    return this.open(appliedEnvironment, column, appid).reveal().split(',');
  }

  private toComponent(row: ComponentRow): Component {
    return {
      ...factsOf(row),
      appSecret: this.rotating(row, 'appSecret'),
      token: this.rotating(row, 'token'),
      encodingAesKey: this.rotating(row, 'encodingAesKey'),
    };
  }

  private rotating(row: ComponentRow, field: RotatingField): Rotating {
    const { columns, changedAt } = ROTATING[field];
    const before = this.acceptedBefore(row, field, this.clock.now());
    return {
      current: this.open(row[field], columns[0], row.appid),
      previous: before.list.map(({ value }) => new Secret(value)),
      changedAt: row[changedAt],
    };
  }

  /** The values before the current one that are still accepted. */
  private acceptedBefore(row: ComponentRow, field: RotatingField, now: number): PreviousValues {
    const { columns, previous, changedAt } = ROTATING[field];
    const stored = row[previous];
    const since = now - this.config.previousKeyHours * HOUR_MS;
    // None was replaced after the last change; when that is long ago they need not be readable.
    if (!stored || row[changedAt] <= since) return new PreviousValues([]);
    const text = this.open(stored, columns[1], row.appid).reveal();
    return PreviousValues.parse(text, row[changedAt]).after(since);
  }

  private open(stored: string, column: EncryptedColumn, appid: string): Secret {
    return this.box.open(stored, secretLocation(column, appid));
  }

  private seal(value: string, column: EncryptedColumn, appid: string): string {
    return this.box.seal(value, secretLocation(column, appid));
  }
}

function factsOf({ appid, name, enabled, createdAt, updatedAt }: ComponentRow): ComponentFacts {
  return { appid, name, enabled: Boolean(enabled), createdAt, updatedAt };
}

function toUnreadable(row: ComponentRow, error: SecretUnreadableError): UnreadableComponent {
  const changedAt = Object.fromEntries(
    ROTATING_FIELDS.map((field) => [field, row[ROTATING[field].changedAt]]),
  ) as UnreadableComponent['changedAt'];
  return { ...factsOf(row), changedAt, error };
}

function ifReadable<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof SecretUnreadableError) return undefined;
    throw error;
  }
}
