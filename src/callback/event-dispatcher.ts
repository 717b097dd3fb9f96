import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import type { ArrivedPush } from './arrived-push.js';
import { OnInfoType, type AfterCommit, type InfoTypeHandler } from './on-info-type.js';
import { OnRecorded, type RecordedHandler } from './on-recorded.js';

/** Finds the methods marked {@link OnInfoType} or {@link OnRecorded} and hands them their pushes. */
@Injectable()
export class EventDispatcher implements OnModuleInit {
  private readonly byInfoType = new Map<string, InfoTypeHandler[]>();
  private readonly forAll: RecordedHandler[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    for (const wrapper of this.discovery.getProviders()) {
      const instance = wrapper.instance as Record<string, RecordedHandler> | null;
      if (!instance || !wrapper.isDependencyTreeStatic()) continue;
      for (const name of this.scanner.getAllMethodNames(Object.getPrototypeOf(instance))) {
        const infoType = this.discovery.getMetadataByDecorator(OnInfoType, wrapper, name);
        const takesAll = this.discovery.getMetadataByDecorator(OnRecorded, wrapper, name);
        if (infoType === undefined && !takesAll) continue;
        const handler = (instance[name] as RecordedHandler).bind(instance);
        if (infoType) this.add(infoType, handler as InfoTypeHandler);
        if (takesAll) this.forAll.push(handler);
      }
    }
  }

  /**
   * Runs every handler of the pushes in the caller's transaction; what is left to do after it.
   * @param forOthers those that everybody is told about.
   */
  async dispatch(
    pushes: ArrivedPush[],
    forOthers: ArrivedPush[],
    manager: EntityManager,
  ): Promise<AfterCommit[]> {
    const later: AfterCommit[] = [];
    const keep = (work: AfterCommit | void): void => {
      if (work) later.push(work);
    };
    const events = pushes.filter(({ kind }) => kind === 'authorization');
    for (const infoType of new Set(events.map((event) => event.infoType))) {
      const alike = events.filter((event) => event.infoType === infoType);
      for (const handler of this.byInfoType.get(infoType) ?? []) {
        keep(await handler(alike, manager));
      }
    }
    if (forOthers.length === 0) return later;
    for (const handler of this.forAll) keep(await handler(forOthers, manager));
    return later;
  }

  private add(infoType: string, handler: InfoTypeHandler): void {
    this.byInfoType.set(infoType, [...(this.byInfoType.get(infoType) ?? []), handler]);
  }
}
