import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, type DiscoverableDecorator } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import { Database, isDuplicateKey } from '../database/database.js';
import { writeBatcher } from '../database/write-batcher.js';
import type { Push } from './push.js';
import { OnInfoType, OnRecorded, type AfterCommit, type PushHandler } from './push-handlers.js';
import { PushStore, type NewPush, type RecordedPush } from './push.store.js';

/** Least time between two transactions, in milliseconds, while fewer than {@link ENOUGH} wait. */
const PERIOD_MS = 8;
/**
 * Pushes that wait no longer for others: among so many the cost of a transaction, that of some five
 * pushes, is shared well enough (measured; with 16 a sixth more processor time a push).
 */
const ENOUGH = 32;
/** The same while the hub has nothing else to do: then what a transaction costs takes nothing away. */
const ENOUGH_IN_QUIET = 8;

/**
 * Makes pushes durable: the record and all that its handlers write are one transaction, shared by
 * the pushes that come at once. A push seen before changes nothing, and nobody is notified of it.
 */
@Injectable()
export class PushRecorder implements OnModuleInit {
  private readonly logger = new Logger(PushRecorder.name);
  private readonly batcher = writeBatcher<NewPush, RecordedPush>((items) => this.write(items), {
    periodMs: PERIOD_MS,
    enough: ENOUGH,
    enoughInQuiet: ENOUGH_IN_QUIET,
  });
  private readonly byInfoType = new Map<string, PushHandler[]>();
  private forAll: PushHandler[] = [];

  constructor(
    private readonly database: Database,
    private readonly store: PushStore,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    for (const { handler, value } of this.handlers(OnInfoType)) {
      this.byInfoType.set(value, [...(this.byInfoType.get(value) ?? []), handler]);
    }
    this.forAll = this.handlers(OnRecorded).map(({ handler }) => handler);
  }

  /** Resolves when the push is in the database. */
  record(push: NewPush): Promise<RecordedPush> {
    return this.batcher.add(push);
  }

  private async write(items: NewPush[]): Promise<RecordedPush[]> {
    try {
      return await this.writeOnce(items, new Map());
    } catch (error) {
      // Repetitions are rare, so they are looked for only when a unique key has met one.
      if (!isDuplicateKey(error)) throw error;
      return this.writeOnce(items, await this.store.known(items));
    }
  }

  /** @param known rows that are there already, by their keys; those of this batch are added. */
  private async writeOnce(
    items: NewPush[],
    known: Map<string, RecordedPush>,
  ): Promise<RecordedPush[]> {
    const fresh: NewPush[] = [];
    const results = items.map((item) => {
      const first = known.get(item.dedupKey);
      if (first) return { ...first, repeated: true };
      fresh.push(item);
      const { id, receivedAt } = item.push;
      const row = { id, receivedAt, outcome: item.outcome, reply: null, repeated: false };
      known.set(item.dedupKey, row);
      return row;
    });
    if (fresh.length > 0) await this.apply(fresh);
    return results;
  }

  private async apply(fresh: NewPush[]): Promise<void> {
    const later = await this.database.transaction(async (manager) => {
      const work = await this.handle(fresh, manager);
      await this.store.insert(fresh, manager);
      return work;
    });
    for (const work of later) void this.runLater(work);
  }

  /** Runs every handler of the pushes. @returns what is left to do after the transaction. */
  private async handle(fresh: NewPush[], manager: EntityManager): Promise<AfterCommit[]> {
    const events = fresh.map(({ push }) => push).filter(({ kind }) => kind === 'authorization');
    const forOthers = fresh.filter(({ forHub }) => !forHub).map(({ push }) => push);
    const turns: [PushHandler, Push[]][] = [];
    for (const infoType of new Set(events.map((event) => event.infoType))) {
      const alike = events.filter((event) => event.infoType === infoType);
      for (const handler of this.byInfoType.get(infoType) ?? []) turns.push([handler, alike]);
    }
    if (forOthers.length > 0) for (const handler of this.forAll) turns.push([handler, forOthers]);
    const later: AfterCommit[] = [];
    for (const [handler, pushes] of turns) {
      const work = await handler(pushes, manager);
      if (work) later.push(work);
    }
    return later;
  }

  private async runLater(work: AfterCommit): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn('Work after a push failed; it is tried again by its owner', error);
    }
  }

  /** The methods of all providers that a decorator marks, with what it was given. */
  private handlers<V>(marker: DiscoverableDecorator<V>): { handler: PushHandler; value: V }[] {
    return this.discovery.getProviders().flatMap((wrapper) => {
      const instance = wrapper.instance as Record<string, PushHandler> | null;
      if (!instance || !wrapper.isDependencyTreeStatic()) return [];
      const names = this.scanner.getAllMethodNames(Object.getPrototypeOf(instance) as object);
      return names.flatMap((name) => {
        const value = this.discovery.getMetadataByDecorator(marker, wrapper, name);
        if (value === undefined) return [];
        return [{ handler: (instance[name] as PushHandler).bind(instance), value }];
      });
    });
  }
}
