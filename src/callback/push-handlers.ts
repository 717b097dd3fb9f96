import { DiscoveryService } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import type { Push } from './push.js';

/** What a handler wants to start once its work is durable; WeChat's answer does not wait for it. */
export type AfterCommit = () => Promise<unknown>;

/**
 * Handles new pushes that arrived together, in the order in which they came: writes what must be
 * durable through `manager`, in the transaction that also records them, and nothing else. It may be
 * run again when the transaction is. A thrown {@link HubError} undoes all of it; the pushes are then
 * tried one by one, so that only the bad one is refused.
 */
export type PushHandler = (pushes: Push[], manager: EntityManager) => Promise<AfterCommit | void>;

/**
 * Marks a provider's method as a {@link PushHandler} of the authorization events of one InfoType,
 * whichever URL they come to.
 */
export const OnInfoType = DiscoveryService.createDecorator<string>();

/**
 * Marks a provider's method as a {@link PushHandler} of every push, whatever its kind, but those
 * that are meant for the hub alone. It runs after those of {@link OnInfoType}.
 */
export const OnRecorded = DiscoveryService.createDecorator<true>();

/** For a handler that takes one push at a time: all that they leave to do, as one. */
export async function forEachPush(
  pushes: Push[],
  handle: (push: Push) => Promise<AfterCommit>,
): Promise<AfterCommit> {
  const later: AfterCommit[] = [];
  for (const push of pushes) later.push(await handle(push));
  return () => Promise.all(later.map((work) => work()));
}
