import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { atMost } from '../common/at-most.js';
import { WorkUnderWay } from '../common/background.js';
import { Clock } from '../common/clock.js';
import { sha256Hex, type Secret } from '../common/secret.js';
import { ROTATING_FIELDS, type EndedCredential, type UsedCredentials } from './component.js';
import { ComponentStore } from './component.store.js';
import { isoTime } from '../common/times.js';

/** The use of a value is written at most once in so many milliseconds by each host. */
const INTERVAL_MS = 60_000;
/** Values of which it is remembered when their use was written. */
const REMEMBERED = 10_000;

/** Notes under which credentials WeChat pushes, and which it takes. */
@Injectable()
export class CredentialUses implements OnModuleDestroy {
  private readonly logger = new Logger(CredentialUses.name);
  private readonly writtenAt = new LRUCache<string, number>({ ...atMost(REMEMBERED) });
  /** Of values that come with every push, so that they are hashed once. */
  private readonly hashes = new WeakMap<Secret, string>();
  private readonly writes = new WorkUnderWay();

  constructor(
    private readonly store: ComponentStore,
    private readonly clock: Clock,
  ) {}

  /**
   * Writes it behind the caller's back. Never throws.
   * @param onEnded runs when this has ended previous values.
   */
  note(appid: string, used: UsedCredentials, onEnded: () => Promise<unknown>): void {
    const now = this.clock.now();
    const fresh: UsedCredentials = {};
    for (const field of ROTATING_FIELDS) {
      const value = used[field];
      if (value && this.isTurn(this.nameOf(appid, field, value))) fresh[field] = value;
    }
    if (Object.keys(fresh).length === 0) return;
    this.writes.add(this.write(appid, fresh, now, onEnded));
  }

  /** Resolves when what was noted is written. */
  idle(): Promise<void> {
    return this.writes.idle();
  }

  onModuleDestroy(): Promise<void> {
    return this.idle();
  }

  private nameOf(appid: string, field: string, value: Secret): string {
    const hash = this.hashes.get(value) ?? sha256Hex(value.reveal());
    this.hashes.set(value, hash);
    return `${appid} ${field} ${hash}`;
  }

  private isTurn(name: string): boolean {
    const now = this.clock.elapsed();
    const last = this.writtenAt.get(name);
    if (last !== undefined && now - last < INTERVAL_MS) return false;
    this.writtenAt.set(name, now);
    return true;
  }

  private async write(
    appid: string,
    used: UsedCredentials,
    at: number,
    onEnded: () => Promise<unknown>,
  ): Promise<void> {
    try {
      const ended = await this.store.noteUse(appid, used, at);
      for (const one of ended) this.report(appid, one);
      if (ended.length > 0) await onEnded();
    } catch (error) {
      for (const field of ROTATING_FIELDS) {
        const value = used[field];
        if (value) this.writtenAt.delete(this.nameOf(appid, field, value));
      }
      this.logger.warn('The use of a credential could not be written; the next one is', error);
    }
  }

  private report(appid: string, { field, replacedAt }: EndedCredential): void {
    this.logger.log('Ended a previous credential: WeChat uses the current one only', {
      componentAppId: appid,
      credential: field,
      replacedAt: isoTime(replacedAt),
    });
  }
}
