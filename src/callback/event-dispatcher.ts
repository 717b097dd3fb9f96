import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import {
  OnInfoType,
  type AfterCommit,
  type AuthorizationEvent,
  type InfoTypeHandler,
} from './on-info-type.js';

/** Finds the methods marked {@link OnInfoType} and hands them the events of their InfoType. */
@Injectable()
export class EventDispatcher implements OnModuleInit {
  private readonly handlers = new Map<string, InfoTypeHandler[]>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    for (const wrapper of this.discovery.getProviders()) {
      const instance = wrapper.instance as Record<string, InfoTypeHandler> | null;
      if (!instance || !wrapper.isDependencyTreeStatic()) continue;
      for (const name of this.scanner.getAllMethodNames(Object.getPrototypeOf(instance))) {
        const infoType = this.discovery.getMetadataByDecorator(OnInfoType, wrapper, name);
        const handler = instance[name];
        if (infoType && handler) this.add(infoType, handler.bind(instance));
      }
    }
  }

  /** Runs every handler of the events in the caller's transaction; what is left to do after it. */
  async dispatch(events: AuthorizationEvent[], manager: EntityManager): Promise<AfterCommit[]> {
    const later: AfterCommit[] = [];
    for (const infoType of new Set(events.map((event) => event.infoType))) {
      const alike = events.filter((event) => event.infoType === infoType);
      for (const handler of this.handlers.get(infoType) ?? []) {
        const work = await handler(alike, manager);
        if (work) later.push(work);
      }
    }
    return later;
  }

  private add(infoType: string, handler: InfoTypeHandler): void {
    this.handlers.set(infoType, [...(this.handlers.get(infoType) ?? []), handler]);
  }
}
