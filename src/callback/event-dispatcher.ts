import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import type { ArrivedPush } from './arrived-push.js';
import { markedMethods } from './marked-methods.js';
import { OnInfoType, type AfterCommit, type InfoTypeHandler } from './on-info-type.js';
import { OnRecorded, type RecordedHandler } from './on-recorded.js';

/** Finds the methods marked {@link OnInfoType} or {@link OnRecorded} and hands them their pushes. */
@Injectable()
export class EventDispatcher implements OnModuleInit {
  private readonly byInfoType = new Map<string, InfoTypeHandler[]>();
  private forAll: RecordedHandler[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    const { discovery, scanner } = this;
    for (const { handler, value } of markedMethods<InfoTypeHandler, string>(
      discovery,
      scanner,
      OnInfoType,
    )) {
      this.byInfoType.set(value, [...(this.byInfoType.get(value) ?? []), handler]);
    }
    const all = markedMethods<RecordedHandler, true>(discovery, scanner, OnRecorded);
    this.forAll = all.map(({ handler }) => handler);
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
}
