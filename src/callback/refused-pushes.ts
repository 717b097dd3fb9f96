import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { FastifyRequest } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import type { HubError } from '../common/hub-error.js';
import { OTHER_SENDERS } from '../common/brake.js';
import { Mutex } from '../common/mutex.js';
import { senderOf } from '../common/source-address.js';
import { emitTelemetry } from '../common/telemetry.js';
import { ComponentService } from '../component/component.service.js';
import type { RefusedPush, RefusedUrl } from './refused-push.entity.js';
import { ROW_MS, RefusedPushStore } from './refused-push.store.js';

/** How often counts that have grown are written, in milliseconds. */
const PERIOD_MS = 60_000;
/** Rows that may be begun within a period, … */
const NEW_ROWS = 200;
/** … and that are counted in at a time; beyond either, senders are counted together. */
const MAX_ROWS = 2000;
/** Rows that one statement writes. */
const BATCH = 100;

/** What is counted together. */
type Refusal = Pick<RefusedPush, 'url' | 'componentAppId' | 'code' | 'sourceAddress'>;

interface Counted {
  row: RefusedPush;
  /** Whether the database has it: not at all, with a lower count, or as it is. */
  state: 'new' | 'grown' | 'saved';
}

/**
 * Counts refused pushes by URL, platform, reason and sender. The first of each is written at once,
 * further ones once a minute, so that a flood costs the database next to nothing; a process that
 * is killed loses the counts of its last minute.
 */
@Injectable()
export class RefusedPushes implements BeforeApplicationShutdown {
  private readonly logger = new Logger(RefusedPushes.name);
  private readonly counted = new Map<string, Counted>();
  private readonly saving = new Mutex();
  /** New rows that are about to be written. */
  private savingNew: Promise<void> | undefined;
  private begun = 0;

  constructor(
    private readonly store: RefusedPushStore,
    private readonly components: ComponentService,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts a refusal if it is one of a push, or of a request that was meant for a callback URL.
   * @returns what the log says of it; undefined where it is none.
   */
  note(error: HubError, request: FastifyRequest): object | undefined {
    const url = urlOf(request);
    // From 500 on the push is not refused: WeChat pushes it again.
    if (!url || error.status >= 500) return undefined;
    const appid = componentOf(request);
    const componentAppId = this.components.isRegistered(appid) ? appid : null;
    const { code } = error;
    emitTelemetry('callback.refused', { componentAppId: componentAppId ?? 'unknown', url, code });
    this.count({ url, componentAppId, code, sourceAddress: senderOf(request.ip) });
    return { url, componentAppId };
  }

  /** Writes what has been counted since the last time. */
  @Interval('refused-pushes', PERIOD_MS)
  async flush(): Promise<void> {
    this.begun = 0;
    try {
      await this.saving.run(() => this.save(['new', 'grown']));
    } catch (error) {
      this.logger.warn('Refused pushes could not be stored; tried again in a minute', error);
    }
    const now = this.clock.now();
    for (const [key, { row, state }] of this.counted) {
      const over = now - row.firstAt >= ROW_MS || row.firstAt > now;
      if (over && state === 'saved') this.counted.delete(key);
    }
  }

  /** While there is a database. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.flush();
  }

  private count(refusal: Refusal): void {
    const { url, componentAppId, code, sourceAddress } = refusal;
    const key = [url, componentAppId, code, sourceAddress].join(' ');
    const now = this.clock.now();
    const counted = this.counted.get(key);
    if (counted) {
      counted.row.count += 1;
      counted.row.lastAt = now;
      if (counted.state === 'saved') counted.state = 'grown';
      return;
    }
    const full = this.begun >= NEW_ROWS || this.counted.size >= MAX_ROWS;
    if (full && sourceAddress !== OTHER_SENDERS) {
      this.count({ ...refusal, sourceAddress: OTHER_SENDERS });
      return;
    }
    this.begun += 1;
    const row = { ...refusal, id: uuidv7(), count: 1, firstAt: now, lastAt: now };
    this.counted.set(key, { row, state: 'new' });
    this.savingNew ??= this.saveNew();
  }

  /** Those that begin while others are written share the next statement. */
  private async saveNew(): Promise<void> {
    try {
      await this.saving.run(() => {
        this.savingNew = undefined;
        return this.save(['new']);
      });
    } catch {
      // Tried again, and logged, with the counts of the minute.
    }
  }

  /** @throws what the database throws; what it has not then stays to be written. */
  private async save(states: Counted['state'][]): Promise<void> {
    const due = [...this.counted.values()].filter(({ state }) => states.includes(state));
    for (let index = 0; index < due.length; index += BATCH) {
      const batch = due.slice(index, index + BATCH);
      const rows = batch.map(({ row }) => ({ ...row }));
      for (const counted of batch) counted.state = 'saved';
      try {
        await this.store.save(rows);
      } catch (error) {
        for (const counted of batch) counted.state = 'grown';
        throw error;
      }
    }
  }
}

function urlOf({ routeOptions, is404, raw }: FastifyRequest): RefusedUrl | undefined {
  const pattern = is404 ? undefined : routeOptions?.url;
  const known = /^\/callback\/:\w+\/(events|messages)\b/.exec(pattern ?? '')?.[1];
  if (known) return known as RefusedUrl;
  return pattern === undefined && segmentsOf(raw.url)[0]?.toLowerCase() === 'callback'
    ? 'other'
    : undefined;
}

function componentOf({ params, raw }: FastifyRequest): string {
  const { componentAppId } = (params ?? {}) as { componentAppId?: string };
  return componentAppId ?? segmentsOf(raw.url)[1] ?? '';
}

function segmentsOf(url = ''): string[] {
  return (url.split('?', 1)[0] ?? '').split('/').filter((segment) => segment !== '');
}
