import { DiscoveryService } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import type { ArrivedPush } from './arrived-push.js';
import type { AfterCommit } from './on-info-type.js';

/**
 * Takes part in the recording of every push that is new, whatever its kind: called with those that
 * arrived together, in the transaction that records them, with the same rules as
 * {@link OnInfoType}'s handlers: it writes through `manager` and does nothing else, and may run
 * again. What it returns starts when the pushes are durable.
 */
export type RecordedHandler = (
  pushes: ArrivedPush[],
  manager: EntityManager,
) => Promise<AfterCommit | void>;

/** Marks a provider's method as a {@link RecordedHandler}. */
export const OnRecorded = DiscoveryService.createDecorator<true>();
