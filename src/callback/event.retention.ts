import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In } from 'typeorm';
import { TrustedTime } from '../common/trusted-time.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { CallbackEvent } from './callback-event.entity.js';
import { markedMethods } from './marked-methods.js';
import { DAY_MS } from '../common/times.js';

/** Rows that one look takes in, and one statement removes: pushes do not wait for more. */
const BATCH = 500;
/** Pause between looks, in milliseconds: pushes that wait go first. */
const PAUSE_MS = 5;
/** Days for which a push is kept beyond its time because something is still to be done with it. */
const LONGEST_DELAY_DAYS = 30;

/** Of pushes whose time is over, by id, those with which something is still to be done. */
export type EventKeeper = (ids: string[]) => Promise<string[]>;

/** Marks a provider's method as an {@link EventKeeper}. */
export const KeepsEvents = DiscoveryService.createDecorator<true>();

/** Pushes that lie together in an index: those of one InfoType, or messages and events (''). */
interface EventGroup {
  componentAppId: string;
  infoType: string;
}

type Place = Pick<CallbackEvent, 'id' | 'receivedAt'>;

/** Removes recorded pushes after their time, in small batches. */
@Injectable()
export class EventRetention implements OnModuleInit {
  private readonly logger = new Logger(EventRetention.name);
  private keepers: EventKeeper[] = [];

  constructor(
    private readonly database: Database,
    private readonly time: TrustedTime,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    const { discovery, scanner } = this;
    const keepers = markedMethods<EventKeeper, true>(discovery, scanner, KeepsEvents);
    this.keepers = keepers.map(({ handler }) => handler);
  }

  @Cron(CronExpression.EVERY_HOUR, { name: 'event-retention', waitForCompletion: true })
  async sweep(): Promise<void> {
    try {
      const now = this.time.nowForTask();
      let removed = 0;
      let group = await this.groupAfter({ componentAppId: '', infoType: '' });
      while (group) {
        removed += await this.sweepGroup(group, now);
        group = await this.groupAfter(group);
      }
      if (removed > 0) this.logger.log('Removed old pushes', { removed });
    } catch (error) {
      this.logger.warn('Old pushes could not be removed; tried again in an hour', error);
    }
  }

  private async sweepGroup(group: EventGroup, now: number): Promise<number> {
    const { eventRetentionDays, messageRetentionDays } = this.config;
    const days = group.infoType === '' ? messageRetentionDays : eventRetentionDays;
    const before = now - days * DAY_MS;
    let removed = 0;
    let after: Place = { id: '', receivedAt: 0 };
    for (;;) {
      // Those that are kept are passed by, so that each is looked at once.
      const old = await this.page(group, before, after);
      removed += await this.remove(old, before - LONGEST_DELAY_DAYS * DAY_MS);
      after = old.at(-1) ?? after;
      if (old.length < BATCH) return removed;
      await delay(PAUSE_MS);
    }
  }

  /** @returns how many were removed. */
  private async remove(old: Place[], keptSince: number): Promise<number> {
    const due = old.filter(({ receivedAt }) => receivedAt >= keptSince).map(({ id }) => id);
    const kept = new Set<string>();
    for (const keeper of due.length > 0 ? this.keepers : []) {
      for (const id of await keeper(due)) kept.add(id);
    }
    const ids = old.map(({ id }) => id).filter((id) => !kept.has(id));
    if (ids.length > 0) {
      await this.database.write((manager) => manager.delete(CallbackEvent, { id: In(ids) }));
    }
    return ids.length;
  }

  private page(group: EventGroup, before: number, after: Place): Promise<Place[]> {
    return this.database.read((manager) =>
      manager
        .createQueryBuilder(CallbackEvent, 'push')
        .select(['push.id', 'push.receivedAt'])
        .where('push.componentAppId = :componentAppId AND push.infoType = :infoType', group)
        .andWhere('push.receivedAt < :before AND push.receivedAt >= :at', {
          before,
          at: after.receivedAt,
        })
        .andWhere('(push.receivedAt > :at OR push.id > :id)', { id: after.id })
        .orderBy('push.receivedAt', 'ASC')
        .addOrderBy('push.id', 'ASC')
        .limit(BATCH)
        .getMany(),
    );
  }

  /** Two looks into the index: what it costs does not depend on how many pushes there are. */
  private async groupAfter({ componentAppId, infoType }: EventGroup): Promise<EventGroup | null> {
    const select = 'SELECT component_appid, info_type FROM callback_event WHERE ';
    const rows: { component_appid: string; info_type: string }[] = await this.database.read(
      async (manager) => {
        const same = `${select} component_appid = ? AND info_type > ? ORDER BY info_type LIMIT 1`;
        const found = await manager.query(same, [componentAppId, infoType]);
        if (found.length > 0) return found;
        const next = `${select} component_appid > ? ORDER BY component_appid, info_type LIMIT 1`;
        return manager.query(next, [componentAppId]);
      },
    );
    const [row] = rows;
    return row ? { componentAppId: row.component_appid, infoType: row.info_type } : null;
  }
}
