import type { FakeComponent } from './fake-component.js';
import type { MessageOutcome } from './message-answer.js';
import type { RetryPolicy } from './message-sender.js';
import type { MessageFormat } from './message-xml.js';
import { SimulatorError } from './wechat-error.js';

const MAX_PER_SECOND = 20_000;
const MAX_COUNT = 2_000_000;
const MAX_CONNECTIONS = 4096;
const DEFAULT_CONNECTIONS = 256;
const EVENT_MARK = 'event.';

/** A message of a load that has ended. */
export interface LoadedMessage {
  account: string;
  fromUser: string;
  createTime: number;
  msgId: string | null;
  outcome: MessageOutcome;
  /** All tries together, in milliseconds. */
  ms: number;
}

/** Messages at a steady rate: sent when they are due, whether the earlier ones were answered. */
export interface LoadOptions extends Partial<RetryPolicy> {
  perSecond: number;
  /** How long it goes on; either this or `count`. */
  seconds?: number;
  /** How many messages are sent. */
  count?: number;
  /** Appids, or how many of those that have authorized the component; default all of them. */
  accounts?: string[] | number;
  /** Connections at the most; default 256. */
  connections?: number;
  /** Weights of message types and of events, as `event.CLICK`; default `{ text: 1 }`. */
  mix?: Record<string, number>;
  /** Default `xml`. */
  format?: MessageFormat;
  /** Default 1: a message that gets no answer is not sent again. */
  tries?: number;
  /** Instead of the component's message URL. */
  url?: string;
  /** Called for each message that has ended. Not by the control API. */
  onEnd?: (message: LoadedMessage) => void;
}

/** An account that messages are for. */
export interface LoadTarget {
  account: string;
  toUserName: string;
  url: string;
}

/** A message type or an event, and its share of the messages. */
export interface LoadKind {
  msgType: string;
  event?: string | undefined;
  /** 0 < share ≤ 1; all together 1. */
  share: number;
}

/** Everything about a load, checked. */
export interface LoadPlan {
  component: FakeComponent;
  perSecond: number;
  count: number;
  connections: number;
  targets: LoadTarget[];
  kinds: LoadKind[];
  format: MessageFormat;
  policy: RetryPolicy;
  onEnd?: LoadOptions['onEnd'];
}

/** Checks options; throws for what makes no sense or knows no bounds. */
export function loadPlan(
  component: FakeComponent,
  options: LoadOptions,
  targets: LoadTarget[],
  policy: RetryPolicy,
): LoadPlan {
  const { perSecond, seconds, connections = DEFAULT_CONNECTIONS, format = 'xml' } = options;
  checkRange('perSecond', perSecond, MAX_PER_SECOND);
  checkRange('connections', connections, MAX_CONNECTIONS);
  if ((seconds === undefined) === (options.count === undefined)) {
    throw new SimulatorError('either seconds or count must be given');
  }
  const count = options.count ?? Math.ceil(perSecond * (seconds ?? 0));
  checkRange(options.count === undefined ? 'seconds times perSecond' : 'count', count, MAX_COUNT);
  if (targets.length === 0) throw new SimulatorError('accounts must name an account');
  const kinds = kindsOf(options.mix ?? { text: 1 });
  const { onEnd } = options;
  return { component, perSecond, count, connections, targets, kinds, format, policy, onEnd };
}

/** The kind that is furthest behind its share, so that every stretch of a load is mixed alike. */
export function nextKind(kinds: readonly LoadKind[], sent: readonly number[]): number {
  const total = sent.reduce((sum, count) => sum + count, 0) + 1;
  let next = 0;
  let most = -Infinity;
  for (const [index, { share }] of kinds.entries()) {
    const behind = share * total - (sent[index] ?? 0);
    if (behind <= most) continue;
    most = behind;
    next = index;
  }
  return next;
}

function kindsOf(mix: Record<string, number>): LoadKind[] {
  const entries = Object.entries(mix);
  for (const [name, weight] of entries) checkRange(`the weight of ${name}`, weight, Infinity);
  if (entries.length === 0) throw new SimulatorError('mix must have a message type or event');
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  return entries.map(([name, weight]) => {
    const share = weight / total;
    return name.startsWith(EVENT_MARK)
      ? { msgType: 'event', event: name.slice(EVENT_MARK.length), share }
      : { msgType: name, share };
  });
}

function checkRange(name: string, value: unknown, most: number): void {
  if (typeof value === 'number' && value > 0 && value <= most) return;
  throw new SimulatorError(`${name} must be a number above 0 and at most ${most}`);
}
