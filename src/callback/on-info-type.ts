import { DiscoveryService } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';

/** An authorization event, on whichever URL it came, verified and decrypted. */
export interface AuthorizationEvent {
  /** Id of its row in `callback_event`. */
  id: string;
  componentAppId: string;
  infoType: string;
  /** When it arrived, in Unix milliseconds. */
  receivedAt: number;
  fields: XmlFields;
}

/** What a handler wants to start once its work is durable; WeChat's answer does not wait for it. */
export type AfterCommit = () => Promise<unknown>;

/**
 * Handles the events of one InfoType that arrived together, in the order in which they came:
 * writes what must be durable through `manager`, in the transaction that also records them, and
 * nothing else. It may be run again when the transaction is. A thrown {@link HubError} undoes all
 * of it; the events are then tried one by one, so that only the bad one is refused.
 */
export type InfoTypeHandler = (
  events: AuthorizationEvent[],
  manager: EntityManager,
) => Promise<AfterCommit | void>;

/** For a handler that takes one event at a time: all that they leave to do, as one. */
export async function forEachEvent(
  events: AuthorizationEvent[],
  handle: (event: AuthorizationEvent) => Promise<AfterCommit>,
): Promise<AfterCommit> {
  const later: AfterCommit[] = [];
  for (const event of events) later.push(await handle(event));
  return () => Promise.all(later.map((work) => work()));
}

/** Marks a provider's method as the handler of an InfoType; see {@link InfoTypeHandler}. */
export const OnInfoType = DiscoveryService.createDecorator<string>();
