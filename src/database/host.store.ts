import { Injectable } from '@nestjs/common';
import { In, LessThan } from 'typeorm';
import { Clock } from '../common/clock.js';
import { DAY_MS } from '../common/times.js';
import { Database } from './database.js';
import { Host } from './host.entity.js';

/** A host that was not seen for longer, twice its period and some, has probably ended. */
export const SILENT_MS = 150_000;

/** Rows of `host`: which processes share the database. */
@Injectable()
export class HostStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Says that a host is there, and forgets those that were not seen for a day. */
  async see(host: Omit<Host, 'lastSeenAt'>, limitMs?: number): Promise<void> {
    const lastSeenAt = this.clock.now();
    await this.database.transaction(async (manager) => {
      await manager
        .createQueryBuilder()
        .insert()
        .into(Host)
        .values({ ...host, lastSeenAt })
        .orUpdate(['last_seen_at'], ['id'])
        .updateEntity(false)
        .execute();
      await manager.delete(Host, { lastSeenAt: LessThan(lastSeenAt - DAY_MS) });
    }, limitMs);
  }

  /** Those of the last day that have not stopped, by name. */
  all(): Promise<Host[]> {
    return this.database.read((manager) =>
      manager.find(Host, { order: { name: 'ASC', startedAt: 'ASC' } }),
    );
  }

  /** Those that were seen lately. */
  async running(): Promise<Host[]> {
    const since = this.clock.now() - SILENT_MS;
    return (await this.all()).filter(({ lastSeenAt }) => lastSeenAt > since);
  }

  /** Removes hosts that have ended. */
  async remove(ids: string[], limitMs?: number): Promise<void> {
    if (ids.length === 0) return;
    await this.database.transaction((manager) => manager.delete(Host, { id: In(ids) }), limitMs);
  }
}
